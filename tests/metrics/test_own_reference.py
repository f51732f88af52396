"""Images that are measured against themselves are named, wherever the copy lies."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagen_lit.image_set.folder import Folder
from imagen_lit.metrics import own_reference
from imagen_lit.metrics.sample import Sample


def sample(folder: Path, seed: int) -> Sample:
    folder.mkdir()
    array = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(array).save(folder / "0.png")
    return Sample(Folder(str(folder)), folder.parent)


def test_a_set_and_its_copy_are_named_and_another_is_not(tmp_path: Path) -> None:
    own, other = sample(tmp_path / "own", 0), sample(tmp_path / "other", 1)
    copy = Sample(Folder(str(shutil.copytree(tmp_path / "own", tmp_path / "copy"))), tmp_path)
    for same in (own, copy):
        with pytest.warns(UserWarning, match=r"images of sr are their own reference.*say nothing"):
            own_reference.warn_if_same("sr", own, same)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own_reference.warn_if_same("sr", own, other)
        own_reference.warn_if_same("sr", own, None)
