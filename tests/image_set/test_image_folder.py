"""A folder of images of any origin: each is seen as a viewer shows it, in an order that stays, with
its prompt if the folder has it; or the file that is in the way is named."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagen_lit.basics import pixels, png_metadata
from imagen_lit.image_set.folder import Folder
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.image_set.natural_order import natural_order


def picture(seed: int, mode: str = "RGB", size: tuple[int, int] = (6, 4)) -> Image.Image:
    width, height = size
    channels = len(mode)
    shape = (height, width, channels) if channels > 1 else (height, width)
    values = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return Image.fromarray(values, mode)


def fill(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(folder / name, lossless=True)
    return folder


def listed(folder: Path, *rows: Any) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "prompts.jsonl").write_text("\n".join(lines))
    return folder


def test_a_folder_is_a_set_of_images(tmp_path: Path) -> None:
    images = Folder(str(fill(tmp_path, "a.png", "deep/er/b.webp", ".c.png")))
    assert isinstance(images, ImageSet)
    assert images.files == ["a.png", "deep/er/b.webp"] and len(images) == 2
    assert np.array_equal(images.image(1), np.asarray(picture(1)))
    assert images.image(0).dtype == np.uint8 and images.prompts is None


def test_files_are_counted_as_a_person_counts() -> None:
    names = ["2.png", "10.png", "a/1.png", "a/02.png", "a/2.png", "a/10.png", "b.png", "ä2.png"]
    shuffled = random.Random(1).sample(names, len(names))
    assert natural_order(shuffled) == names


def test_facts_stay_where_the_folder_is_moved_or_copied(tmp_path: Path) -> None:
    fill(tmp_path / "one", "1.png", "2.jpg", "10.webp")
    listed(tmp_path / "one", *({"file": f, "prompt": f} for f in ("10.webp", "2.jpg", "1.png")))
    facts = Folder(str(tmp_path / "one")).facts()
    shutil.copytree(tmp_path / "one", tmp_path / "deep/two")
    assert Folder(str(tmp_path / "deep/two")).facts() == facts
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["size"], facts["format"]) == ("6x4", "JPEG, PNG, WEBP")


def one_pixel(folder: Path) -> None:
    values = np.asarray(Image.open(folder / "2.png")).copy()
    values[0, 0, 0] ^= 1
    Image.fromarray(values).save(folder / "2.png")


def exchange(folder: Path) -> None:
    first, second = folder / "1.png", folder / "2.png"
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


CHANGES: dict[str, Callable[[Path], Any]] = {
    "one pixel": one_pixel,
    "a file less": lambda folder: (folder / "2.png").unlink(),
    "two images exchanged": exchange,
    "another prompt": lambda folder: (folder / "2.txt").write_text("a dog"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_facts_change_with_any_part_of_the_set(tmp_path: Path, change: str) -> None:
    fill(tmp_path, "1.png", "2.png", "3.png")
    for number in range(1, 5):
        (tmp_path / f"{number}.txt").write_text(f"cat {number}")
    facts = Folder(str(tmp_path)).facts()
    CHANGES[change](tmp_path)
    assert Folder(str(tmp_path)).facts() != facts


def test_transparent_pixels_lie_on_white(tmp_path: Path) -> None:
    picture(0, "RGBA").save(tmp_path / "a.png")
    images = Folder(str(tmp_path))
    values = np.asarray(picture(0, "RGBA")).astype(float)
    alpha = values[..., 3:] / 255
    expected = values[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(images.image(0) - expected).max() <= 1
    assert images.facts()["transparent"] == 1


def test_grey_palette_cmyk_and_16_bits_become_rgb(tmp_path: Path) -> None:
    grey = np.asarray(picture(1, "L"))
    Image.fromarray(grey).save(tmp_path / "1.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "2.png")
    picture(2).quantize(8).save(tmp_path / "3.png")
    picture(3, "CMYK").save(tmp_path / "4.jpg")
    images = Folder(str(tmp_path))
    for number in (0, 1):
        assert np.array_equal(images.image(number), np.repeat(grey[..., None], 3, axis=2))
    palette = np.asarray(Image.open(tmp_path / "3.png").convert("RGB"))
    assert np.array_equal(images.image(2), palette)
    assert images.image(3).shape == (4, 6, 3) and images.facts()["transparent"] == 0


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.png"])
def test_a_sideways_photograph_is_turned_upright(tmp_path: Path, name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = Image.new("RGB", (64, 32), "white")
    wide.paste("black", (0, 0, 64, 8))  # its upper edge becomes the right one
    wide.save(tmp_path / name, exif=exif)
    images = Folder(str(tmp_path))
    image = images.image(0)
    assert image.shape == (64, 32, 3) and images.facts()["size"] == "32x64"
    assert image[:, -4:].mean() < 32 and image[:, :16].mean() > 223


def test_sizes_are_told_by_their_span(tmp_path: Path) -> None:
    for number, size in enumerate([(6, 4), (9, 5), (6, 4), (2, 8)]):
        picture(number, size=size).save(tmp_path / f"{number}.png")
    assert Folder(str(tmp_path)).facts()["size"] == "3 sizes from 2x8 to 9x5"


def test_prompts_come_from_a_list_in_the_folder(tmp_path: Path) -> None:
    fill(tmp_path, "1.png", "sub/2.png")
    (tmp_path / "1.txt").write_text("not this")
    first = {"file": "./sub/2.png", "prompt": " dog ", "seed": 4}
    listed(tmp_path, first, {"file": "1.png", "prompt": "cat", "seed": 0})
    images = Folder(str(tmp_path))
    assert images.prompts == ["cat", "dog"]
    assert (images.seeds, images.categories) == ([0, 4], None)


def test_prompts_come_from_a_text_beside_each_image(tmp_path: Path) -> None:
    fill(tmp_path, "000.jpg", "001.jpg")
    (tmp_path / "000.txt").write_bytes("\ufeffça va\n".encode())
    (tmp_path / "001.txt").write_text("a dog")
    images = Folder(str(tmp_path))
    assert images.prompts == ["ça va", "a dog"] and images.seeds is None


def test_our_own_images_know_their_prompt_and_seed(tmp_path: Path) -> None:
    for seed in (3, 20):
        texts = png_metadata.texts({"prompt": "a red circle", "seed": seed}, "a red circle")
        pixels.save_png(picture(seed), tmp_path / f"a_seed{seed}.png", texts)
    images = Folder(str(tmp_path))
    assert (images.prompts, images.seeds) == (["a red circle"] * 2, [3, 20])


def test_prompts_come_from_a_text_file_in_order(tmp_path: Path) -> None:
    folder = fill(tmp_path / "images", "2.png", "10.png", "1.png")
    file = tmp_path / "prompts.txt"
    file.write_text("one\ntwo\nten\n")
    assert Folder(str(folder), prompts=str(file)).prompts == ["one", "two", "ten"]
    file.write_text("one\ntwo\n")
    with pytest.raises(ValueError, match=r"holds 2 prompts for 3 images\. Write one line for"):
        Folder(str(folder), prompts=str(file))


ROW = {"file": "1.png", "prompt": "cat"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW], r"prompts\.jsonl says what 1 images .*, but not what 2\.png does\. Add that"),
        ([ROW, ROW | {"file": "3.png"}], r"names 3\.png, which is not there .* Restore it"),
        ([ROW, ROW], r"names 1\.png twice\. Remove one"),
        (
            [ROW, {"file": "2.png", "caption": "b"}],
            r"line 2 of .*prompts\.jsonl lacks prompt: its keys are "
            r"file, caption\. Give file and prompt, and seed and category where",
        ),
        ([ROW, "", "{"], r"line 3 of .*prompts\.jsonl is no JSON object\. Write"),
        ([ROW | {"seed": "3"}], r"line 1 .* a seed that is no whole number"),
        (
            [ROW | {"seed": 0}, ROW | {"file": "2.png"}],
            r"the seed of some .* not of 2\.png\. Add it",
        ),
        ([""], r"prompts\.jsonl is empty"),
    ],
)
def test_a_list_with_gaps_is_refused(tmp_path: Path, rows: list[Any], message: str) -> None:
    listed(fill(tmp_path, "1.png", "2.png"), *rows)
    with pytest.raises(ValueError, match=message):
        Folder(str(tmp_path))


def test_a_missing_text_beside_an_image_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "1.txt").write_text("cat")
    with pytest.raises(ValueError, match=r"not what 2\.png does \(and 1 more\)\. Add that"):
        Folder(str(tmp_path))
    (tmp_path / "2.txt").write_bytes("ça".encode("latin-1"))
    with pytest.raises(ValueError, match=r"2\.txt is not UTF-8\. Convert it"):
        Folder(str(tmp_path))


def spoil(folder: Path, kind: str) -> None:
    file = folder / "2.png"
    data = file.read_bytes()
    if kind == "text":
        file.write_text("not an image")
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "huge":  # by its header alone
        file.write_bytes(data[:16] + (60_000).to_bytes(4) * 2 + data[24:])
    else:
        file.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize("kind", ["text", "empty", "huge"])
def test_an_image_that_is_none_is_refused_at_once_by_name(tmp_path: Path, kind: str) -> None:
    fill(tmp_path, "1.png", "2.png")
    spoil(tmp_path, kind)
    with pytest.raises(
        ValueError, match=r"2\.png is no image to use: .*Make it again, or"
    ) as refusal:
        Folder(str(tmp_path))
    assert "0x" not in str(refusal.value), "an address in memory tells nobody anything"


def test_an_image_that_was_cut_short_is_refused_by_name(tmp_path: Path) -> None:
    fill(tmp_path, "1.png", "2.png")
    spoil(tmp_path, "cut")
    images = Folder(str(tmp_path))
    assert images.image(0).shape == (4, 6, 3)
    with pytest.raises(ValueError, match=r"2\.png is no image to use: .*Make it again, or remove"):
        images.image(1)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*gone\. Set path="):
        Folder(str(tmp_path / "gone"))
    (tmp_path / "a.txt").write_text("no image")
    with pytest.raises(ValueError, match=r"there are no images \(\.jpg.* Set path="):
        Folder(str(tmp_path))
    with pytest.raises(ValueError, match=r"path=.*a\.txt needs a folder"):
        Folder(str(tmp_path / "a.txt"))


def test_an_image_of_another_kind_is_not_left_out_in_silence(tmp_path: Path) -> None:
    picture(9).save(fill(tmp_path, "1.png") / "2.bmp")
    with pytest.raises(ValueError, match=r"2\.bmp is an image of a kind that is not read .* Conv"):
        Folder(str(tmp_path))
