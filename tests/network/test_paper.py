"""The paper's networks: as large as it says, by name and by arithmetic, and the demo's as ever.

The large ones stand on the meta device, where weights take no memory.
"""

import hashlib
import json

import pytest
import torch
from omegaconf import OmegaConf
from tiny_network import build, call, narrow
from torch import nn

from imagen_lit import door

# option: (parameters, what § 4.1 and Fig. 4b state in millions; None: as printed, which misses it)
SIZES = {
    "unet_300m": (309_435_267, 300),
    "unet_500m": (547_517_187, 500),
    "unet_1b": (1_030_542_819, 1000),
    "unet_2b": (2_178_060_547, 2000),
    "efficient_unet_600m": (608_394_405, 600),
    "efficient_unet_400m": (394_407_077, 400),
    "efficient_unet_1024_printed": (600_005_797, None),
}
# Of ADM's shape without text, in millions: 192 is its published ADM-64, the others follow.
ADM = {"unet_300m": 295, "unet_500m": 525, "unet_1b": 992, "unet_2b": 2098}
# Of the three networks that runs in the field were trained with: their keys and shapes.
DEMO = {
    "demo_unet": "8dc962f2cc0da34e05de154ed9044fd48d447c80113caef670642b2183a75678",
    "demo_efficient_unet": "8ebb43c3521b353989154bbd88c6053dbeb42caa137332fa4efb3c7460bd028c",
    "demo_efficient_unet_crop": "4d33d5e867a639b63eb098ab3bb183470c77e8ccbcadfb6918c7da7f1aeb72e2",
}


def settings(option: str) -> dict:
    cfg = door.compose("train", [f"network={option}", "text=t5_xxl"])
    return OmegaConf.to_container(cfg.network, resolve=True)


def large(option: str, **changes: object) -> nn.Module:
    with torch.device("meta"):
        return door.build(settings(option) | changes)


def size(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def conv(i: int, o: int, k: int = 3) -> int:
    return i * o * k * k + o


def dense(i: int, o: int) -> int:
    return i * o + o


def residual(i: int, o: int, e: int) -> int:
    norms = 2 * i + 2 * o
    return norms + conv(i, o) + dense(e, 2 * o) + conv(o, o) + (conv(i, o, 1) if i != o else 0)


def pooling(text: int, e: int) -> int:
    inside = 2 * text + text + 256 + dense(text, 512) + 2 * 256  # norm, nothing, questions, ...
    return inside + dense(256, e) + dense(e, e)


def attention(c: int, text: int, inner: int) -> int:
    norms = 2 * c + 2 * text
    return norms + dense(c, 3 * inner) + dense(text, 2 * inner) + dense(inner, c)


def adm(c: int, text: int = 4096, narrowed: bool = True) -> int:
    """The U-Net of App. F.1 with embedding width c, summed up by hand."""
    e, read = 4 * c, 2 * c if narrowed else text
    total = dense(64, e) + dense(e, e) + pooling(text, e) + conv(3, c)
    total += 2 * text + dense(text, read)

    def attend(w: int) -> int:
        return attention(w, read, w // 64 * 64)

    skips, width = [c], c
    for level in range(4):
        if level:
            total += residual(width, width, e)
            skips.append(width)
        for _ in range(3):
            total += residual(width, c * (level + 1), e)
            width = c * (level + 1)
            total += attend(width) if level else 0
            skips.append(width)
    total += 2 * residual(width, width, e) + attend(width)
    for level in (3, 2, 1, 0):
        for _ in range(4):
            total += residual(width + skips.pop(), c * (level + 1), e)
            width = c * (level + 1)
            total += attend(width) if level else 0
        total += residual(width, width, e) if level else 0
    return total + 2 * width + conv(width, 3)


def efficient(blocks: list[int], self_attention: bool, text: int = 4096) -> int:
    """The Efficient U-Net of App. F.2 and F.3 with a skip from every block, summed up by hand."""
    e, widths = 512, [128, 128, 256, 512, 1024]
    total = 2 * (dense(64, e) + dense(e, e)) + pooling(text, e) + conv(6, 128)
    for level, count in enumerate(blocks):
        before, width = widths[level], widths[level + 1]
        last = level == 3
        total += conv(before, width) + count * residual(width, width, e)
        total += (count - last) * residual(2 * width, width, e) + last * residual(width, width, e)
        total += conv(width, 4 * before)
    norms, inner = 2 * 1024 + 2 * text, 8 * 256
    to_text = dense(text, 2 * inner) + dense(inner, 1024)
    own = dense(1024, 3 * inner) if self_attention else dense(1024, inner) + text
    return total + 2 * (norms + to_text + own) + 2 * 256 + conv(256 + 6, 3)


@pytest.mark.parametrize("option", SIZES)
def test_a_network_of_the_paper_has_the_size_that_is_stated(option: str) -> None:
    exact, stated = SIZES[option]
    assert size(large(option)) == exact
    if stated is not None:
        assert exact / 1e6 == pytest.approx(stated, rel=0.1)


def test_the_last_stage_as_printed_is_half_as_large_again_as_stated() -> None:
    assert size(large("efficient_unet_1024_printed")) / 1e6 == pytest.approx(600, rel=0.01)


@pytest.mark.parametrize("option", ADM)
def test_a_base_network_has_the_size_that_its_blocks_sum_up_to(option: str) -> None:
    assert size(large(option)) == adm(settings(option)["channels"][0])


@pytest.mark.parametrize(("option", "millions"), ADM.items())
def test_a_base_network_without_its_text_is_of_the_size_of_adm(option: str, millions: int) -> None:
    text = sum(p.numel() for n, p in large(option).named_parameters() if "text" in n)
    assert (size(large(option)) - text) / 1e6 == pytest.approx(millions, rel=0.003)


@pytest.mark.parametrize("option", [o for o in SIZES if o.startswith("efficient")])
def test_an_efficient_network_has_the_size_that_its_blocks_sum_up_to(option: str) -> None:
    said = settings(option)
    assert size(large(option)) == efficient(said["blocks"], said["self_attention"])


@pytest.mark.parametrize("option", SIZES)
def test_the_narrow_network_of_the_laws_has_the_parts_of_the_large_one(option: str) -> None:
    with torch.device("meta"):
        small = door.build(narrow(settings(option)))
    assert [n for n, _ in small.named_parameters()] == [
        n for n, _ in large(option).named_parameters()
    ]


@pytest.mark.parametrize("option", ["demo_unet", "unet_300m", "efficient_unet_600m"])
def test_checkpointing_changes_no_gradient(option: str) -> None:
    found = []
    for again in (False, True):
        network = build(option, checkpointing=again)
        answer = call(network)
        answer.square().sum().backward()
        found.append([answer, *(p.grad for p in network.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_checkpointing_works_the_blocks_out_twice_and_keeps_less() -> None:
    kept = []
    for again in (False, True):
        network, saved = build("unet_300m", checkpointing=again), 0

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal saved
            saved += tensor.nbytes
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            call(network)
        kept.append(saved)
    assert kept[1] < kept[0] / 2


@pytest.mark.parametrize("option", DEMO)
def test_what_was_trained_with_the_demos_networks_still_loads(option: str) -> None:
    state = door.build(
        OmegaConf.to_container(door.compose("train", [f"network={option}"]).network, resolve=True)
    ).state_dict()
    said = json.dumps([[name, list(value.shape)] for name, value in state.items()])
    assert hashlib.sha256(said.encode()).hexdigest() == DEMO[option]
