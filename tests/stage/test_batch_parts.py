"""A batch in parts has the output and the gradients of the whole one."""

import copy
import multiprocessing
from collections.abc import Iterator

import pytest
import torch
from tiny_network import build, call, doubles
from torch import Tensor, nn

from imagen_lit.diffusion.prediction import Clean
from imagen_lit.diffusion.schedule import Cosine
from imagen_lit.stage import batch_parts
from imagen_lit.stage.condition import Condition
from imagen_lit.stage.denoiser import Denoiser


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class InParts(nn.Module):
    """A network that is called as a denoiser calls it."""

    def __init__(self, network: nn.Module, parts: int) -> None:
        super().__init__()
        self.network, self.parts, self.embed_text = network, parts, network.embed_text

    def forward(self, **inputs: Tensor) -> Tensor:
        return batch_parts.call(self.network, list(inputs.values()), self.parts)


@pytest.mark.parametrize("parts", [3])
@pytest.mark.parametrize("option", ["demo_unet", "demo_efficient_unet", "demo_efficient_unet_crop"])
def test_parts_have_the_output_and_gradients_of_the_batch(option: str, parts: int) -> None:
    whole = build(option).double()
    split = copy.deepcopy(whole)
    results = []
    for network, called in ((whole, whole), (split, InParts(split, parts))):
        output = call(called, **doubles(network))
        output.square().sum().backward()
        results.append([output, *(p.grad for p in network.parameters())])
        with torch.no_grad():
            torch.testing.assert_close(call(called, **doubles(network)), output)
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_parts_compute_under_the_autocast_of_their_caller() -> None:
    network, types = build("demo_unet"), []
    network.first.register_forward_hook(lambda _, args, out: types.append(out.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        call(InParts(network, 2))
    call(InParts(network, 2))
    assert types == 2 * [torch.bfloat16] + 2 * [torch.float32]


def test_only_a_cpu_of_several_threads_makes_parts(two_threads: None) -> None:
    weight, z = nn.Parameter(torch.zeros(1)), torch.zeros(3, 1)
    assert batch_parts.count(weight, [z, None]) == 2
    assert batch_parts.count(weight, [z[:1], None]) == 1
    assert batch_parts.count(weight.to("meta"), [z.to("meta")]) == 1
    assert batch_parts.count(weight, [z.clone().requires_grad_()]) == 1
    torch.set_num_threads(1)
    assert batch_parts.count(weight, [z, None]) == 1


@torch.no_grad()
def test_a_denoiser_makes_parts_unless_its_blocks_are_compiled(
    two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(batch_parts, "call", lambda network, inputs, parts: calls.append(parts))
    denoiser = Denoiser(build("demo_unet", lowres_channels=0), Cosine(), Clean())
    width = denoiser.network.embed_text.null_token.shape[-1]
    condition = Condition(torch.zeros(2, 3, width), torch.ones(2, 3, dtype=torch.bool))
    denoiser.predict(torch.zeros(2, 3, 16, 16), torch.zeros(2), condition)
    assert calls == [2]
    denoiser.compile_blocks("eager")
    denoiser.network.forward = lambda *inputs: inputs[0]
    denoiser.predict(torch.zeros(2, 3, 16, 16), torch.zeros(2), condition)
    assert calls == [2]


def test_parts_leave_the_number_of_threads_as_it_was(two_threads: None) -> None:
    call(InParts(build("demo_unet"), 3))
    assert torch.get_num_threads() == 2


def test_a_fork_makes_parts_too() -> None:
    network = build("demo_unet")
    with torch.no_grad():
        call(InParts(network, 2))
    process = multiprocessing.get_context("fork").Process(target=_draw, args=(network,))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def _draw(network: nn.Module) -> None:
    with torch.no_grad():
        call(InParts(network, 2))
