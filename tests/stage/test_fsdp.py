"""A sharded network is the same network: two processes, each with half of its weights."""

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from two_ranks import both_pass

from imagen_lit.network import adapters
from imagen_lit.network.conditioning import Conditioning
from imagen_lit.network.layers import LastConv, LogSNREmbedding
from imagen_lit.network.unet import UNet
from imagen_lit.stage import fsdp

WIDTH, REDUCE = 8, "reduce_scatter_single"


# Layers that the network lacks by default.
SWITCHED = {"conditioning": Conditioning("mean", "cross"), "skip_join": "added"}


def network(**switches: Any) -> UNet:
    torch.manual_seed(0)
    network = UNet(WIDTH, [16, 32], [1, 1], [False, True], 16, 32, **switches)
    for parameter in network.parameters():  # no residual block is the identity
        nn.init.normal_(parameter, std=0.1)
    return network


def inputs(count: int) -> tuple[Tensor, ...]:
    g = torch.Generator().manual_seed(1)
    z, text = torch.randn(count, 3, 8, 8, generator=g), torch.randn(count, 5, WIDTH, generator=g)
    mask = torch.arange(count)[:, None].expand(-1, 5) > 0  # the first text is empty
    return z, torch.linspace(-10.01, 10.01, count), text, mask


def check_precision(mesh: Any) -> None:
    """Log-SNRs and the last convolution are in float32, what is between in bf16."""
    sharded, seen = network(), dict[str, Tensor]()
    for name, part in sharded.named_modules():
        if isinstance(part, LogSNREmbedding | LastConv | nn.GroupNorm):
            part.register_forward_pre_hook(
                lambda part, args, name=name: seen.update({name: args[0]})
            )
    fsdp.shard_network(sharded, mesh, bf16=True)
    z, logsnr, text, mask = inputs(8)
    with torch.autocast("cpu", torch.bfloat16):
        out = sharded(z, logsnr, text, mask)
        close = network()(z, logsnr, text, mask)
    assert torch.equal(seen["embed_logsnr"], logsnr)
    assert out.dtype == torch.float32
    assert seen["middle.0.block.first_norm"].dtype == torch.bfloat16
    assert (out - close).norm() < 0.03 * close.norm()
    last = sharded.last.weight.full_tensor()
    assert torch.equal(last, network().last.weight)


def check_micro_batches(mesh: Any, **switches: Any) -> None:
    """Two micro-batches have the gradient of the whole batch, which travels once."""
    whole, sharded = network(**switches), network(**switches)
    batch = inputs(4)
    whole(*batch).square().sum().backward()
    fsdp.shard_network(sharded, mesh, bf16=False)
    strategy = fsdp.FullySharded()
    strategy._model = sharded
    halves = [tuple(each[part] for each in batch) for part in (slice(0, 2), slice(2, 4))]
    with mock.patch.object(dist, REDUCE, wraps=getattr(dist, REDUCE)) as reduce:
        with strategy.block_backward_sync():
            sharded(*halves[0]).square().sum().backward()
        assert reduce.call_count == 0
        sharded(*halves[1]).square().sum().backward()
        assert reduce.call_count == len(list(fsdp.units(sharded)))
    for a, b in zip(whole.parameters(), sharded.parameters(), strict=True):
        torch.testing.assert_close(b.grad.full_tensor(), a.grad, rtol=1e-3, atol=1e-4)


def check_adapters(mesh: Any) -> None:
    """Beside sharded weights that are frozen, adapters have the gradients of the whole network."""
    whole, sharded = network(), network()
    for each in (whole, sharded):
        torch.manual_seed(2)
        adapters.adapt(each, 2, 2, "all")
    fsdp.shard_network(sharded, mesh, bf16=False)
    for each in (whole, sharded):
        each(*inputs(4)).square().sum().backward()
    pairs = [*zip(whole.parameters(), sharded.parameters(), strict=True)]
    assert any(a.requires_grad for a, _ in pairs)
    for a, b in pairs:
        assert (b.grad is not None) == a.requires_grad
        if a.grad is not None:
            torch.testing.assert_close(b.grad.full_tensor(), a.grad, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def check_reading(mesh: Any, bf16: bool, **switches: Any) -> None:
    """A drawing reads its text before its first pass, and its steps have the pass's very bits."""
    sharded, (z, logsnr, text, mask) = network(**switches), inputs(4)
    fsdp.shard_network(sharded, mesh, bf16)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        reading = sharded.read(text, mask)
        steps = [sharded(z, logsnr, text + 1, mask, reading=reading) for _ in range(2)]
        whole = sharded(z, logsnr, text, mask)
    assert all(torch.equal(each, whole) for each in steps)


def check_sharding(rank: int) -> None:
    mesh = init_device_mesh("cpu", (2,))
    check_precision(mesh)
    check_micro_batches(mesh)
    check_micro_batches(mesh, **SWITCHED)
    check_adapters(mesh)
    check_reading(mesh, bf16=False)
    check_reading(mesh, bf16=True, **SWITCHED)


def test_a_sharded_network_computes_the_same_and_sends_its_gradient_once(tmp_path: Path) -> None:
    assert both_pass(check_sharding, tmp_path)


@pytest.mark.parametrize("switches", [{}, SWITCHED], ids=["default", "switched"])
def test_every_weight_belongs_to_a_unit(switches: dict[str, Any]) -> None:
    whole = network(**switches)
    owned = [each for unit in fsdp.units(whole) for each in unit.parameters()]
    assert {id(each) for each in owned} == {id(each) for each in whole.parameters()}
    assert len(owned) == len(list(whole.parameters()))
