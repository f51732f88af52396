"""A row of numbered images with a gap is named; numbers that are no row are not."""

import warnings
from pathlib import Path

import pytest

from imagen_lit.image_set import numbering


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        ([0, 1, 2, 4], "and 3 is missing: the 4 that are there"),
        ([1, 3, 5, 6, 7, 9, 10, 12, 13, 14, 15], "2, 4, 8, 11 are missing"),
        ([0, 2, 4, 6, 8, 10, 12, 13], "1, 3, 5, 7, 9 and 1 more are missing"),
    ],
)
def test_what_a_row_lacks_is_named(numbers: list[int], named: str) -> None:
    files = [f"sub/img_{number:04d}.png" for number in numbers]
    with pytest.warns(UserWarning, match=named):
        numbering.warn_of_gaps(Path("dalle2"), files)


@pytest.mark.parametrize(
    "files",
    [
        ["0.png", "1.png", "2.png"],
        ["1.png", "2.png"],
        ["000000000139.jpg", "000000000285.jpg"],  # COCO's
        ["1.png", "9.png", "400.png"],
        ["a.png", "0.png", "2.png"],
        ["1_2.png", "1_4.png"],
        ["0/1.png", "1/1.png", "0/3.png"],
    ],
)
def test_what_is_no_row_is_not(files: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbering.warn_of_gaps(Path("dalle2"), files)
