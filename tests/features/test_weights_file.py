"""A file of weights is used only if it is the one that is meant, and only its tensors are read."""

import pickle
from pathlib import Path

import made_weights
import pytest
import torch
from torch import nn

from imagen_lit.basics.errors import InputError
from imagen_lit.features import weights_file

TENSORS = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
SOURCE = "Fetch it."


class Trap:
    """Unpickled, it would write a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> object:
        return Path.touch, (self.file,)


def test_weights_of_another_content_are_refused_with_both_hashes(tmp_path: Path) -> None:
    file = tmp_path / "made.pth"
    sha256 = made_weights.save(TENSORS, file)
    assert weights_file.read("it", file, sha256, SOURCE)["weight"].tolist() == [[1] * 3] * 2
    with pytest.raises(InputError, match=f"sha256 is {sha256}, not 0+. Fetch it.*Check where"):
        weights_file.read("it", file, "0" * 64, SOURCE)


def test_weights_that_are_not_there_are_named_with_their_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.pth is no file. Fetch it."):
        weights_file.read("it", tmp_path / "none.pth", "0" * 64, SOURCE)


def test_no_code_in_a_file_of_weights_is_run(tmp_path: Path) -> None:
    file, mark = tmp_path / "made.pth", tmp_path / "mark"
    sha256 = made_weights.save({"weight": Trap(mark)}, file)
    with pytest.raises(InputError, match="cannot be read as tensors"):
        weights_file.read("it", file, sha256, SOURCE)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists(), "the trap works"


def test_a_file_without_tensors_by_name_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "made.pth"
    for content in ({"epoch": 3}, {"model": TENSORS}):
        sha256 = made_weights.save(content, file)
        with pytest.raises(InputError, match="holds no table of tensors by name"):
            weights_file.read("it", file, sha256, SOURCE)


@pytest.mark.parametrize(
    "tensors",
    [
        {"weight": torch.ones(2, 3)},
        {**TENSORS, "other": torch.ones(1)},
        {**TENSORS, "weight": torch.ones(3, 2)},
    ],
    ids=["missing", "unknown", "another size"],
)
def test_weights_that_do_not_fit_are_refused(tensors: dict[str, torch.Tensor]) -> None:
    with pytest.raises(InputError, match=r"do not fit Linear: \w+ is missing.*one of 1"):
        weights_file.fill(nn.Linear(3, 2), tensors)


def test_what_a_network_has_no_use_for_is_left_out_by_name_alone() -> None:
    linear = nn.Linear(3, 2)
    weights_file.fill(linear, {**TENSORS, "head.weight": torch.ones(9)}, ignore=("head.",))
    assert linear.weight.tolist() == [[1] * 3] * 2
