"""A small CLIP follows from its images, its settings and its seed, however often it is stopped."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from imagen_lit.contrastive import pretraining
from imagen_lit.contrastive.two_towers import Shape
from imagen_lit.data.captioned_images import CaptionedImages
from imagen_lit.data.loader import Data

SHAPE = Shape(size=16, channels=8, width=16, layers=1, vocabulary=280, max_length=16)
IMAGES = 48


def open_data(shards: Path, **changes: Any) -> CaptionedImages:
    return CaptionedImages(str(shards), **{"size": 16, "batch_size": 8, "validation": 12} | changes)


def start(
    shards: Path, state: Path | None = None, images: int = IMAGES, lr: float = 1e-3, seed: int = 0
) -> Iterator[pretraining.Progress]:
    settings = {"images": images, "lr": lr, "seed": seed}
    schedule = pretraining.Schedule(images, lr, seed)
    device = torch.device("cpu")
    return pretraining.pretrain(open_data(shards), SHAPE, schedule, device, settings, state)


def weights(progress: pretraining.Progress) -> list[torch.Tensor]:
    return list(progress.model.state_dict().values())


@pytest.fixture(autouse=True)
def save_after_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "SAVE_EVERY", 0)


def test_the_same_seed_makes_the_same_encoder_and_another_another(shards: Path) -> None:
    *_, one = start(shards)
    *_, again = start(shards)
    *_, other = start(shards, seed=1)
    assert all(map(torch.equal, weights(one), weights(again)))
    assert not all(map(torch.equal, weights(one), weights(other)))
    assert one.tokenizer.to_str() == other.tokenizer.to_str()


@pytest.mark.parametrize("interruptions", [[2], [3, 2]])
def test_interrupted_and_resumed_it_is_the_same_bit_for_bit(
    shards: Path, tmp_path: Path, interruptions: list[int]
) -> None:
    file, seen = tmp_path / "state", []
    for steps in interruptions:
        seen += [now.images_seen for now in islice(start(shards, file), steps)]
    torch.rand(3)  # the process that resumes has drawn other numbers
    *rest, last = start(shards, file)
    *_, plain = start(shards)
    # A batch is saved when the next is asked for, so the last of each start is seen again.
    assert seen[: interruptions[0]] == [8 * n for n in range(1, interruptions[0] + 1)]
    assert (last.images_seen, last.images, last.loss) == (IMAGES, IMAGES, plain.loss)
    assert all(map(torch.equal, weights(last), weights(plain)))
    assert len(rest) < IMAGES // 8 - 1, "what was done is not done again"


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"seed": 1}, "seed is 0 there, 1 here.*Set seed=0 to continue it, or remove it"),
        ({"images": 96}, "images is 48 there, 96 here.*Set images=48 to"),
        ({"lr": 0.1}, r"lr is 0\.001 there, 0\.1 here.*Set lr=0\.001 to"),
    ],
)
def test_the_state_of_other_settings_is_refused_and_left_alone(
    shards: Path, tmp_path: Path, change: dict[str, Any], advice: str
) -> None:
    file = tmp_path / "state"
    next(islice(start(shards, file), 2, None))
    before = file.read_bytes()
    with pytest.raises(ValueError, match=advice):
        next(start(shards, file, **change))
    assert file.read_bytes() == before


def test_the_state_of_shards_that_have_changed_is_refused(shards: Path, tmp_path: Path) -> None:
    file = tmp_path / "state"
    next(islice(start(shards, file), 2, None))
    tar = shards / "00001.tar"
    stat = tar.stat()
    try:
        os.utime(tar, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
        with pytest.raises(ValueError, match=r"shards\.stamp.*Remove it to begin anew"):
            next(start(shards, file))
    finally:
        os.utime(tar, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_neither_images_nor_captions_that_are_held_back_are_seen(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this world a caption names its image's number."""
    read: list[str] = []
    learn, encode = pretraining.tokens.learn, pretraining.tokens.encode

    def spy_learn(captions: Iterator[str], *sizes: int) -> Any:
        read.extend(captions := list(captions))
        return learn(captions, *sizes)

    def spy_encode(tokenizer: Any, texts: list[str]) -> Any:
        read.extend(texts)
        return encode(tokenizer, texts)

    monkeypatch.setattr(pretraining.tokens, "learn", spy_learn)
    monkeypatch.setattr(pretraining.tokens, "encode", spy_encode)
    *_, _ = start(shards, images=96)
    held_back = [c for batch in open_data(shards).val_dataloader()[0] for c in batch["caption"]]
    assert len(set(held_back)) == 12 and len(set(read)) == 60 - 12
    assert not set(read) & set(held_back)


def test_the_rows_held_back_are_those_of_a_diffusion_model(shards: Path) -> None:
    data = Data(str(shards), "any", size=16, batch_size=8, validation=12)
    ours, theirs = open_data(shards).held_back()[1], data.held_back()[1]
    assert ours.threshold == theirs.threshold and ours.validation.sum() == 12


def test_it_learns_which_caption_belongs_to_which_image(shards: Path) -> None:
    losses = [now.loss for now in start(shards, images=8 * 150, lr=3e-3)]
    assert sum(losses[-6:]) < 0.5 * sum(losses[:6])
