"""A reference in files of another form is named, and one of the same form is not."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagen_lit.image_set.folder import Folder
from imagen_lit.metrics import file_form
from imagen_lit.metrics.sample import Sample


def sample(folder: Path, suffix: str, size: int) -> Sample:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        array = rng.integers(0, 256, (size, size, 3), np.uint8)
        Image.fromarray(array).save(folder / f"{number}.{suffix}")
    return Sample(Folder(str(folder)), folder / "features")


@pytest.mark.parametrize(
    ("suffix", "size", "words"),
    [("jpg", 32, "format PNG against JPEG"), ("png", 48, "size .*32.* against .*48")],
)
def test_another_form_is_named(tmp_path: Path, suffix: str, size: int, words: str) -> None:
    own, other = sample(tmp_path / "own", "png", 32), sample(tmp_path / "other", suffix, size)
    with pytest.warns(UserWarning, match=words):
        file_form.warn_if_other("sr", own, other)


def test_the_same_form_is_not(tmp_path: Path) -> None:
    own, other = sample(tmp_path / "own", "png", 32), sample(tmp_path / "other", "png", 32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        file_form.warn_if_other("sr", own, other)
        file_form.warn_if_other("sr", own, None)
