"""Adafactor against torch's own, on shapes where both mean the same."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor

from imagen_lit.optimizer.adafactor import Adafactor, axes

LR = 1e-2
EPS = (1e-15, 1e-3)  # torch squares the first


def trodden(weight: Tensor, gradients: list[Tensor], optimizer: type, **settings: object) -> Tensor:
    """Where a weight is after a step by each gradient."""
    weight = torch.nn.Parameter(weight.clone())
    mover = optimizer([weight], lr=LR, **settings)
    for gradient in gradients:
        weight.grad = gradient.clone()
        mover.step()
    return weight.detach()


def a_walk(*shape: int) -> tuple[Tensor, list[Tensor]]:
    torch.manual_seed(0)
    return torch.randn(shape), [torch.randn(shape) * 10.0**-n for n in (3, 2, 3, 1, 4)]


@pytest.mark.parametrize("shape", [(7,), (160, 130), (130, 160)])
def test_vectors_and_long_matrices_move_as_torchs_do(shape: tuple[int, ...]) -> None:
    weight, gradients = a_walk(*shape)
    theirs = trodden(weight, gradients, torch.optim.Adafactor, eps=EPS)
    torch.testing.assert_close(trodden(weight, gradients, Adafactor), theirs)


def test_a_convolution_is_a_long_matrix_at_each_of_its_places() -> None:
    weight, gradients = a_walk(130, 140, 3, 3)
    turned = [each.permute(2, 3, 0, 1) for each in (weight, *gradients)]
    theirs = trodden(turned[0], turned[1:], torch.optim.Adafactor, eps=EPS).permute(2, 3, 0, 1)
    torch.testing.assert_close(trodden(weight, gradients, Adafactor), theirs)


def test_a_short_matrix_moves_as_a_vector_of_all_its_numbers() -> None:
    weight, gradients = a_walk(127, 300)
    flat = [each.flatten() for each in (weight, *gradients)]
    theirs = trodden(flat[0], flat[1:], torch.optim.Adafactor, eps=EPS).view(127, 300)
    torch.testing.assert_close(trodden(weight, gradients, Adafactor), theirs)


def test_the_scale_of_gradients_does_not_matter() -> None:
    weight, gradients = a_walk(130, 140)
    large = trodden(weight, [each * 1e6 for each in gradients], Adafactor)
    torch.testing.assert_close(trodden(weight, gradients, Adafactor), large)


@pytest.mark.parametrize(
    ("shape", "found"),
    [((5,), None), ((127, 900), None), ((128, 900), (0, 1)), ((900, 128), (1, 0)),
     ((256, 256, 3, 3), (0, 1)), ((512, 256, 3, 3), (1, 0))],
)  # fmt: skip
def test_rows_and_columns_are_the_two_longest_axes(
    shape: tuple[int, ...], found: tuple[int, int] | None
) -> None:
    assert axes(shape, 128) == found


def test_what_is_kept_of_a_convolution_is_next_to_nothing() -> None:
    weight = torch.nn.Parameter(torch.randn(256, 128, 3, 3))
    mover = Adafactor([weight], lr=LR)
    weight.grad = torch.randn_like(weight)
    mover.step()
    assert sum(value.numel() for value in mover.state[weight].values()) == 9 * (256 + 128) + 1


def of_two(rank: int, folder: str) -> None:
    """One of two devices that share a weight."""
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    for shape in ((7,), (130, 140, 3, 3), (140, 130), (3, 5)):
        weight, gradients = a_walk(*shape)
        shared = [distribute_tensor(each, mesh, [Shard(0)]) for each in (weight, *gradients)]
        moved = trodden(shared[0], shared[1:], Adafactor).full_tensor()
        torch.testing.assert_close(moved, trodden(weight, gradients, Adafactor))
    Path(folder, f"agreed{rank}").touch()
    dist.destroy_process_group()


def test_a_weight_shared_out_over_two_devices_moves_as_a_whole_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(of_two, (str(tmp_path),), nprocs=2)
    assert len(list(tmp_path.glob("agreed*"))) == 2
