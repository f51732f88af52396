"""A checkpoint that opens may still hold what cannot be drawn with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_run import leave_run

from imagen_lit.basics.errors import InputError
from imagen_lit.run import checkpoint, run_folder


def spoil(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    file = checkpoint.newest_good(folder)
    content = checkpoint.read(file)
    content["state_dict"] = {key: tensor.clone() for key, tensor in content["state_dict"].items()}
    change(content)
    checkpoint.write(content, file)


def first(content: dict[str, Any], prefix: str = "ema.") -> str:
    return next(key for key in content["state_dict"] if key.startswith(prefix))


DAMAGE: list[Callable[[dict[str, Any]], Any]] = [
    lambda content: content["state_dict"].pop(first(content)),
    lambda content: content["state_dict"].update({first(content): torch.zeros(1, 2, 3)}),
    lambda content: content["state_dict"].update({first(content): 5}),
    lambda content: content["state_dict"].update({"ema.extra": torch.zeros(1)}),
    lambda content: content.pop("state_dict"),
    lambda content: content.update(state_dict=3),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_checkpoint_that_lacks_a_weight_says_how_to_go_on(
    tmp_path: Path, damage: Callable[[dict[str, Any]], Any]
) -> None:
    folder = leave_run(tmp_path, "base")
    spoil(folder, damage)
    with pytest.raises(InputError, match=r"damaged or from another version.*Move it out"):
        run_folder.load_ema(folder)
    with pytest.raises(InputError, match=r"damaged or from another version.*Move it out"):
        run_folder.load_stage(folder)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_draw_nothing(tmp_path: Path, number: float) -> None:
    folder = leave_run(tmp_path, "base")
    spoil(folder, lambda content: content["state_dict"][first(content)].view(-1)[:1].fill_(number))
    with pytest.raises(InputError, match=r"not finite.*Move it out"):
        run_folder.load_ema(folder)


def test_a_file_that_holds_something_else_is_a_damaged_checkpoint(tmp_path: Path) -> None:
    folder = leave_run(tmp_path, "base")
    torch.save([1, 2], checkpoint.path(folder, 128))
    with pytest.warns(UserWarning, match="it holds no mapping"):
        assert checkpoint.newest_good(folder) == checkpoint.path(folder, 64)


def test_a_name_that_is_no_number_is_no_checkpoint(tmp_path: Path) -> None:
    folder = leave_run(tmp_path, "base")
    (folder / "checkpoints/²").with_suffix(".ckpt").write_bytes(b"")
    assert checkpoint.saved(folder) == [checkpoint.path(folder, 64)]
