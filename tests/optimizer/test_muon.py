"""Steps have one size and all directions of a matrix; torch's own Muon and AdamW agree."""

import copy

import pytest
import torch
from torch import nn

from imagen_lit.optimizer.muon import Muon, orthogonalize


def train(model: nn.Module, optimizers: list[torch.optim.Optimizer], steps: int) -> None:
    g = torch.Generator().manual_seed(1)
    for _ in range(steps):
        x = torch.randn(8, 24, generator=g)
        loss = (model(x) - x.flip(1)).square().mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()


@pytest.mark.parametrize("shape", [(24, 24), (20, 60), (60, 20)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    result = orthogonalize(matrix[None], 5)[0]
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.6 and values.max() < 1.25
    nearest = u @ v
    similarity = (result * nearest).sum() / (result.norm() * nearest.norm())
    assert similarity > 0.97


def test_torchs_own_muon_and_adamw_take_the_same_steps() -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(24, 32), nn.Tanh(), nn.Linear(32, 24))
    theirs = copy.deepcopy(ours)
    matrices = [p for p in theirs.parameters() if p.ndim == 2]
    plain = [p for p in theirs.parameters() if p.ndim == 1]
    settings = {"lr": 0.02, "weight_decay": 0.1, "momentum": 0.9, "ns_steps": 4}
    muon = torch.optim.Muon(matrices, adjust_lr_fn="match_rms_adamw", **settings)
    adamw = torch.optim.AdamW(plain, lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    train(theirs, [muon, adamw], 12)
    mine = Muon(ours.parameters(), 0.02, 0.01, momentum=0.9, weight_decay=0.1, steps=4)
    train(ours, [mine], 12)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        # torch multiplies in bf16, so directions agree to bf16's three digits
        assert (a - b).norm() < 0.02 * b.norm()


@pytest.mark.parametrize("shape", [(32, 16, 3, 3), (64, 32), (16, 128)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_a_step_is_as_large_as_the_learning_rate_says(shape: tuple[int, ...], scale: float) -> None:
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.zeros(shape))
    parameter.grad = scale * torch.randn(shape)
    Muon([parameter], lr=0.1, plain_lr=0.0, steps=5).step()
    assert parameter.detach().square().mean().sqrt().item() == pytest.approx(0.02, rel=0.2)


@pytest.mark.parametrize("shape", [(32, 16, 3, 3), (64, 32), (16, 128), (96, 96)])
@pytest.mark.parametrize("seed", range(3))
def test_three_iterations_come_near_that_size_and_low_rank_stays_below(
    shape: tuple[int, ...], seed: int
) -> None:
    g = torch.Generator().manual_seed(seed)
    rows, columns = shape[0], torch.Size(shape[1:]).numel()
    sizes = []
    for rank in (2, min(rows, columns)):
        parameter = nn.Parameter(torch.zeros(shape))
        thin = torch.randn(rows, rank, generator=g), torch.randn(rank, columns, generator=g)
        whole = torch.randn(rows, columns, generator=g)
        parameter.grad = (thin[0] @ thin[1] if rank == 2 else whole).reshape(shape)
        Muon([parameter], lr=1.0, plain_lr=0.0, steps=3).step()
        sizes.append(parameter.detach().square().mean().sqrt().item())
    low, full = sizes
    assert low < 0.14 < full < 0.23


def test_an_optimizer_that_resumes_takes_the_same_steps() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 32), nn.Tanh(), nn.Linear(32, 24))
    optimizer = Muon(model.parameters(), 0.02, 0.01)
    train(model, [optimizer], 5)
    twin = copy.deepcopy(model)
    twin_optimizer = Muon(twin.parameters(), 0.5, 0.5)
    twin_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(model, [optimizer], 3)
    train(twin, [twin_optimizer], 3)
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(a, b)
