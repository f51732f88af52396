"""Adafactor against torch's own, on shapes where both mean the same."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor
from two_ranks import both_pass

from imagen_lit.optimizer import adafactor
from imagen_lit.optimizer.adafactor import Adafactor, axes

LR = 1e-2
EPS = (1e-15, 1e-3)  # torch squares the first


def run(weight: Tensor, gradients: list[Tensor], optimizer: type, **settings: object) -> Tensor:
    """A weight after one step with each gradient."""
    weight = torch.nn.Parameter(weight.clone())
    instance = optimizer([weight], lr=LR, **settings)
    for gradient in gradients:
        weight.grad = gradient.clone()
        instance.step()
    return weight.detach()


def example(*shape: int) -> tuple[Tensor, list[Tensor]]:
    torch.manual_seed(0)
    return torch.randn(shape), [torch.randn(shape) * 10.0**-n for n in (3, 2, 3, 1, 4)]


@pytest.mark.parametrize("shape", [(7,), (160, 130), (130, 160)])
def test_vectors_and_long_matrices_move_as_torchs_do(shape: tuple[int, ...]) -> None:
    weight, gradients = example(*shape)
    theirs = run(weight, gradients, torch.optim.Adafactor, eps=EPS)
    torch.testing.assert_close(run(weight, gradients, Adafactor), theirs)


def test_a_convolution_is_a_long_matrix_at_each_of_its_positions() -> None:
    weight, gradients = example(130, 140, 3, 3)
    matrices = [each.permute(2, 3, 0, 1) for each in (weight, *gradients)]
    theirs = run(matrices[0], matrices[1:], torch.optim.Adafactor, eps=EPS).permute(2, 3, 0, 1)
    torch.testing.assert_close(run(weight, gradients, Adafactor), theirs)


def test_a_short_matrix_moves_as_a_vector_of_all_its_numbers() -> None:
    weight, gradients = example(127, 300)
    flat = [each.flatten() for each in (weight, *gradients)]
    theirs = run(flat[0], flat[1:], torch.optim.Adafactor, eps=EPS).view(127, 300)
    torch.testing.assert_close(run(weight, gradients, Adafactor), theirs)


def test_the_scale_of_gradients_does_not_matter() -> None:
    weight, gradients = example(130, 140)
    large = run(weight, [each * 1e6 for each in gradients], Adafactor)
    torch.testing.assert_close(run(weight, gradients, Adafactor), large)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((5,), None), ((127, 900), None), ((128, 900), (0, 1)), ((900, 128), (1, 0)),
     ((256, 256, 3, 3), (0, 1)), ((512, 256, 3, 3), (1, 0))],
)  # fmt: skip
def test_rows_and_columns_are_the_two_longest_axes(
    shape: tuple[int, ...], expected: tuple[int, int] | None
) -> None:
    assert axes(shape, 128) == expected


def test_the_state_of_a_convolution_is_a_row_and_a_column_per_position() -> None:
    weight = torch.nn.Parameter(torch.randn(256, 128, 3, 3))
    optimizer = Adafactor([weight], lr=LR)
    weight.grad = torch.randn_like(weight)
    optimizer.step()
    assert sum(value.numel() for value in optimizer.state[weight].values()) == 9 * (256 + 128) + 1


def test_many_weights_move_as_each_would_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [example(*shape) for shape in ((7,), (130, 140), (130, 140), (140, 130, 3, 3), (3,))]
    alone = [run(*each, Adafactor) for each in examples]
    for at_once in (1, 20_000, 10**9):  # numbers in a part
        monkeypatch.setattr(adafactor, "AT_ONCE", at_once)
        weights = [torch.nn.Parameter(weight.clone()) for weight, _ in examples]
        optimizer = Adafactor(weights, lr=LR)
        for step in range(len(examples[0][1])):
            for weight, (_, gradients) in zip(weights, examples, strict=True):
                weight.grad = gradients[step].clone()
            optimizer.step()
        for weight, expected in zip(weights, alone, strict=True):
            torch.testing.assert_close(weight.detach(), expected)


def check_shards(rank: int) -> None:
    """One of two devices over which a weight is sharded."""
    mesh = init_device_mesh("cpu", (2,))
    for shape in ((7,), (130, 140, 3, 3), (140, 130), (3, 5)):
        weight, gradients = example(*shape)
        shards = [distribute_tensor(each, mesh, [Shard(0)]) for each in (weight, *gradients)]
        result = run(shards[0], shards[1:], Adafactor).full_tensor()
        torch.testing.assert_close(result, run(weight, gradients, Adafactor))


def test_a_weight_sharded_over_two_devices_moves_as_a_whole_one(tmp_path: Path) -> None:
    assert both_pass(check_shards, tmp_path)
