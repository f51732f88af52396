"""A step that is to be skipped changes nothing, with each predefined optimiser, wherever it is
decided: at once, on a CPU, or by the device, which lets the host compute on.
"""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from two_ranks import both_pass

from imagen_lit.optimizer import skipping
from imagen_lit.stage import gradient_clipping

CONF = Path(__file__).parents[2] / "conf" / "optimizer"
OPTIMIZERS = sorted(file.stem for file in CONF.glob("*.yaml"))
FINITE, POISONED = 0.0, math.nan


def make(name: str, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
    optimizer: torch.optim.Optimizer = instantiate(OmegaConf.load(CONF / f"{name}.yaml"))(weights)
    return optimizer


def weights() -> list[nn.Parameter]:
    """A vector, a matrix that Adafactor factors, and a convolution."""
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in ((7,), (130, 140), (32, 16, 3, 3))]


def step(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], poison: float) -> None:
    """An update as a stage makes it."""
    for parameter in parameters:
        parameter.grad = parameter.detach().sin() + poison
    flag = ~torch.isfinite(gradient_clipping.norm(parameters))
    gradient_clipping.skip_step_if(flag, optimizer, parameters)
    optimizer.step()


def state_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    states = optimizer.state_dict()["state"]
    return [value.clone() for state in states.values() for value in state.values()]


@pytest.fixture(params=["at once", "by the device"])
def decided(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "by the device":
        monkeypatch.setattr(skipping, "of", lambda optimizer: optimizer.found_inf.bool())


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("before", [0, 3])
def test_a_skipped_step_leaves_no_trace(name: str, before: int, decided: None) -> None:
    parameters = weights()
    optimizer = make(name, parameters)
    for _ in range(before):
        step(optimizer, parameters, FINITE)
    twins = copy.deepcopy(parameters)
    twin = make(name, twins)
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(optimizer, parameters, POISONED)
    assert all(torch.equal(a, b) for a, b in zip(parameters, twins, strict=True))
    for _ in range(2):
        step(optimizer, parameters, FINITE)
        step(twin, twins, FINITE)
    for a, b in zip(parameters + state_of(optimizer), twins + state_of(twin), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_predefined_optimizer_can_skip_by_itself(name: str) -> None:
    assert make(name, weights())._step_supports_amp_scaling


def test_an_optimizer_that_cannot_gets_no_gradients() -> None:
    parameters = weights()
    optimizer = torch.optim.SGD(parameters, lr=1.0, momentum=0.9, weight_decay=0.1)
    step(optimizer, parameters, FINITE)
    before = [parameter.clone() for parameter in parameters]
    step(optimizer, parameters, POISONED)
    assert all(torch.equal(a, b) for a, b in zip(parameters, before, strict=True))


def check_shards(rank: int) -> None:
    """One of two devices over which the weights are sharded."""
    mesh = init_device_mesh("cpu", (2,))
    skipping.of = lambda optimizer: optimizer.found_inf.bool()  # type: ignore[assignment]
    for name in ("adafactor", "adam", "adamw"):
        whole = weights()
        shards = [nn.Parameter(distribute_tensor(each.data, mesh, [Shard(0)])) for each in whole]
        optimizers = [make(name, whole), make(name, shards)]
        for poison in (FINITE, FINITE, POISONED, FINITE):
            step(optimizers[0], whole, poison)
            step(optimizers[1], shards, poison)
        for a, b in zip(whole, shards, strict=True):
            assert isinstance(b, DTensor)
            torch.testing.assert_close(a.data, b.full_tensor().data)


def test_sharded_weights_skip_the_same_step(tmp_path: Path) -> None:
    assert both_pass(check_shards, tmp_path)
