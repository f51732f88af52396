"""A contact sheet shows every image of its folder, large enough to see and with its prompt."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagen_lit.basics import captioned_grid, pixels, png_metadata
from imagen_lit.report import contact_sheet


def leave(folder: Path, prompt: str, seed: int, size: int = 64, grey: int = 90) -> Path:
    """A plain image that says what it was drawn from."""
    file = folder / "sr" / f"{len(list(folder.rglob('*.png')))}.png"
    texts = png_metadata.texts({"prompt": prompt, "seed": seed}, prompt)
    pixels.save_png(Image.new("RGB", (size, size), (grey, 0, 0)), file, texts)
    return file


def entries(sheet: Path) -> list[tuple[str, int]]:
    return [(each["prompt"], each["seed"]) for each in png_metadata.read(sheet)["sheet"]]


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_every_image_has_its_tile(tmp_path: Path, count: int) -> None:
    sheet = tmp_path / "sheet.png"
    files = [leave(tmp_path, "a thing", seed, grey=100 + seed) for seed in range(count)]
    assert contact_sheet.write(sheet, files) == count
    assert entries(sheet) == [("a thing", seed) for seed in range(count)]
    picture = pixels.load_png(sheet)
    for seed in range(count):
        area = (picture == (100 + seed, 0, 0)).all(-1)
        assert area.sum() == contact_sheet.EDGE**2, "whole, and covered by no text"


@pytest.mark.parametrize("size", [16, 300, 1024])
def test_images_of_any_size_are_as_large_on_the_sheet(tmp_path: Path, size: int) -> None:
    contact_sheet.write(tmp_path / "sheet.png", [leave(tmp_path, "a", 0, size)])
    picture = pixels.load_png(tmp_path / "sheet.png")
    assert (picture == (90, 0, 0)).all(-1).sum() == contact_sheet.EDGE**2


@pytest.mark.parametrize(
    "prompt", ["", "красный круг", "a red circle " * 800, "x" * 10_000, "two\nlines", "红色的圆"]
)
def test_a_caption_stays_between_its_image_and_the_next(tmp_path: Path, prompt: str) -> None:
    sheet, edge, gap = tmp_path / "sheet.png", contact_sheet.EDGE, captioned_grid.GAP
    files = [leave(tmp_path, prompt, seed) for seed in (0, 1)]
    contact_sheet.write(sheet, files)
    picture = pixels.load_png(sheet)
    height, width, _ = picture.shape
    assert width == 2 * edge + 3 * gap
    assert edge < height < edge + 2 * gap + captioned_grid.LINE * captioned_grid.LINES + 1
    captions = picture[gap + edge :]
    assert (captions != 255).any(), "something is written"
    for x in (0, gap + edge, 2 * (gap + edge)):
        assert (captions[:, x + 2 : x + gap] == 255).all(), "and the gaps are empty"


def test_a_sheet_grows_with_its_folder_and_its_bytes_say_nothing_else(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    first = leave(tmp_path, "b", 0)
    contact_sheet.write(sheet, [first])
    before = sheet.read_bytes()
    second = leave(tmp_path, "a", 0)
    contact_sheet.write(sheet, [second])
    assert entries(sheet) == [("a", 0), ("b", 0)]
    second.unlink()
    contact_sheet.write(sheet, [first])
    assert sheet.read_bytes() == before


def test_what_was_asked_for_has_precedence_on_a_full_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_sheet, "MOST", 3)
    files = [leave(tmp_path, "a", seed) for seed in range(5)]
    assert contact_sheet.write(tmp_path / "sheet.png", files[4:]) == 3
    assert entries(tmp_path / "sheet.png") == [("a", 4), ("a", 0), ("a", 1)]


def test_a_file_that_is_no_sheet_of_ours_is_refused(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    contact_sheet.refuse_other_file(sheet)
    contact_sheet.write(sheet, [leave(tmp_path, "a", 0)])
    contact_sheet.refuse_other_file(sheet)
    pixels.save_png(Image.fromarray(np.zeros((4, 4, 3), np.uint8)), sheet)
    with pytest.raises(ValueError, match=r"sheet\.png is no contact sheet.*Rename it"):
        contact_sheet.refuse_other_file(sheet)
