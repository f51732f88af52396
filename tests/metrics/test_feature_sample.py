"""Features are computed once, by any number of processes, killed or not, and are the same bits."""

from pathlib import Path

import numpy as np
import pytest
from toy_sample import ToyExtractor, ToyImages, noise_images

from imagen_lit.basics.errors import InputError, RunError
from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.protocol import digest
from imagen_lit.metrics.feature_parts import PART, FeatureParts
from imagen_lit.metrics.sample import Sample

COUNT = 2 * PART + 44
PROMPTS = [f"prompt {number // 4}" for number in range(COUNT)]


def toy_sample(folder: Path, seed: int = 0) -> Sample:
    return Sample(ToyImages(noise_images(COUNT, seed), PROMPTS, f"seed {seed}"), folder)


def bits(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.rglob("part_*.npy")}


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_any_number_of_processes_makes_the_same_bits(tmp_path: Path, processes: int) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    assert toy_sample(alone).extract(ToyExtractor())
    for rank in range(processes):
        complete = toy_sample(together).extract(ToyExtractor(), Share(rank, processes))
        assert complete == (rank >= min(processes, 3) - 1), "there are three parts"
    assert bits(alone) == bits(together) and len(bits(alone)) == 3


def test_a_killed_process_continues_where_it_was(tmp_path: Path) -> None:
    class Killed(ToyExtractor):
        def features(self, images: object) -> np.ndarray:
            if self.calls == 3:
                raise KeyboardInterrupt
            return super().features(images)

    with pytest.raises(KeyboardInterrupt):
        toy_sample(tmp_path / "killed").extract(Killed())
    assert len(bits(tmp_path / "killed")) == 1
    extractor = ToyExtractor()
    assert toy_sample(tmp_path / "killed").extract(extractor)
    toy_sample(tmp_path / "whole").extract(ToyExtractor())
    assert extractor.calls == 3, "of the five batches"
    assert bits(tmp_path / "killed") == bits(tmp_path / "whole")


def test_features_are_those_of_the_images_in_order(tmp_path: Path) -> None:
    sample, extractor = toy_sample(tmp_path), ToyExtractor()
    sample.extract(extractor)
    calls = extractor.calls
    assert toy_sample(tmp_path).extract(extractor) and extractor.calls == calls
    features = sample.features(extractor)
    expected = extractor.features(sample.images.images)
    assert np.array_equal(np.asarray(features), expected)
    for rows in (slice(0, 5), slice(100, 270), slice(PART, 2 * PART), slice(290, 999)):
        assert np.array_equal(features[rows], expected[rows])


def test_other_images_and_other_weights_have_features_of_their_own(tmp_path: Path) -> None:
    toy_sample(tmp_path).extract(ToyExtractor())
    toy_sample(tmp_path, seed=1).extract(ToyExtractor())
    toy_sample(tmp_path).extract(ToyExtractor(weights=1))
    assert len(list((tmp_path / "features").iterdir())) == 3


def test_a_different_prompt_is_read_once_and_its_images_know_it(tmp_path: Path) -> None:
    sample, extractor = toy_sample(tmp_path), ToyExtractor()
    assert sample.extract_texts(extractor, "a photo of ")
    texts = np.asarray(sample.text_features(extractor, "a photo of "))
    assert texts.shape == (COUNT // 4, 4)
    expected = extractor.text_features([f"a photo of {PROMPTS[9]}"])[0]
    assert np.array_equal(texts[sample.groups[9]], expected)
    with pytest.raises(RunError, match="another process has yet to compute it"):
        np.asarray(sample.text_features(extractor, "other "))


def test_features_that_are_not_finite_are_refused_with_their_number(tmp_path: Path) -> None:
    class Overflows(ToyExtractor):
        def features(self, images: object) -> np.ndarray:
            values = super().features(images)
            values[5, 2] = np.inf if self.calls == 3 else 0
            return values

    with pytest.raises(InputError, match=f"number {PART + 5} .* not finite"):
        toy_sample(tmp_path).extract(Overflows())
    assert len(bits(tmp_path)) == 1


def test_an_extractor_of_another_width_is_refused(tmp_path: Path) -> None:
    extractor = ToyExtractor()
    extractor.width = 5
    with pytest.raises(InputError, match=r"\[128, 4\] where \[128, 5\] was due"):
        toy_sample(tmp_path).extract(extractor)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", b"text"])
def test_a_damaged_part_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    parts = FeatureParts(tmp_path, 3, 2)
    parts.write(0, np.zeros((3, 2)))
    assert parts.missing() == []
    parts.file(0).write_bytes(content)
    with pytest.raises(InputError, match=r"part_00000.npy is damaged.*Delete it"):
        parts.read(0)
    with pytest.raises(InputError, match=r"float32 \[3, 3\]\. Delete it"):
        parts.file(0).unlink()
        parts.write(0, np.zeros((3, 2)))
        FeatureParts(tmp_path, 3, 3).read(0)


def test_a_set_that_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    images = noise_images(4)
    for image_set, categories, sentence in (
        (ToyImages(images[:0]), None, "holds none"),
        (ToyImages(images, ["a"]), None, "4 images have 1 prompts"),
        (ToyImages(images), ["a"], "4 images have 1 categories"),
        (ToyImages(images), ["all"] * 4, "Rename the category"),
    ):
        with pytest.raises(InputError, match=sentence):
            Sample(image_set, tmp_path, categories)
    with pytest.raises(InputError, match="no prompts"):
        Sample(ToyImages(images), tmp_path).require_texts()


def test_the_facts_name_prompts_in_any_order_and_no_system(tmp_path: Path) -> None:
    images, prompts = noise_images(4), ["a", "a", "b", "c"]

    def facts(prompts: list[str] | None, system: str = "ours", count: int = 4) -> str:
        return digest(Sample(ToyImages(images[:count], prompts, system), tmp_path).facts())

    assert facts(prompts) == facts(prompts[::-1]) == facts(prompts, "theirs")
    assert len({facts(prompts), facts(["a", "b", "b", "c"]), facts(None), facts(None, "", 3)}) == 4
