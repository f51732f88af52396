"""The paper's networks have the sizes that it states, and the demo's have the keys they always had.

The large ones are built on the meta device, where weights take no memory.
"""

import hashlib
import json

import pytest
import torch
from omegaconf import OmegaConf
from tiny_network import build, call, narrow
from torch import nn

from imagen_lit.cli import config

# option: (parameters, what § 4.1 and Fig. 4b state in millions; None: as printed, which misses it)
SIZES = {
    "unet_300m": (309_435_267, 300),
    "unet_500m": (547_517_187, 500),
    "unet_1b": (1_030_542_819, 1000),
    "unet_2b": (2_178_060_547, 2000),
    "efficient_unet_600m": (608_394_405, 600),
    "efficient_unet_400m": (394_407_077, 400),
    "efficient_unet_1024_printed": (600_005_797, None),
    "unet_sr256": (324_040_707, None),  # the control, whose size the paper does not state
}
# Of ADM's shape without text, in millions: 192 is its published ADM-64, the others follow.
ADM = {"unet_300m": 295, "unet_500m": 525, "unet_1b": 992, "unet_2b": 2098}
# Keys and shapes of the three networks that existing runs were trained with.
DEMO = {
    "demo_unet": "8dc962f2cc0da34e05de154ed9044fd48d447c80113caef670642b2183a75678",
    "demo_efficient_unet": "8ebb43c3521b353989154bbd88c6053dbeb42caa137332fa4efb3c7460bd028c",
    "demo_efficient_unet_crop": "4d33d5e867a639b63eb098ab3bb183470c77e8ccbcadfb6918c7da7f1aeb72e2",
}

# What their keys were called when those runs were trained, in the order of replacement.
FORMER_KEYS = {
    ".null_token": ".nothing",
    "embed_text.query": "embed_text.question",
    "project_text.": "narrow_text.",
    "_downsample.": "_half.",
    "_upsample.": "_double.",
    ".downsample.": ".shrink.",
    ".upsample.": ".grow.",
}


def settings(option: str) -> dict:
    cfg = config.compose("train", [f"network={option}", "text=t5_xxl"])
    return OmegaConf.to_container(cfg.network, resolve=True)


def large(option: str, **changes: object) -> nn.Module:
    with torch.device("meta"):
        return config.build(settings(option) | changes)


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
    inside = 2 * text + text + 256 + dense(text, 512) + 2 * 256  # norm, null token, queries, ...
    return inside + dense(256, e) + dense(e, e)


def attention(c: int, text: int, inner: int) -> int:
    norms = 2 * c + 2 * text
    return norms + dense(c, 3 * inner) + dense(text, 2 * inner) + dense(inner, c)


def adm(c: int, text: int = 4096, text_projection: bool = True) -> int:
    """The U-Net of App. F.1 with embedding width c, summed up by hand."""
    e, context = 4 * c, 2 * c if text_projection else text
    total = dense(64, e) + dense(e, e) + pooling(text, e) + conv(3, c)
    total += 2 * text + dense(text, context)

    def attend(w: int) -> int:
        return attention(w, context, w // 64 * 64)

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


def efficient(
    blocks: list[int], self_attention: bool, text: int = 4096, added: bool = False
) -> int:
    """The Efficient U-Net of App. F.2 and F.3 with a skip from every block, summed up by hand."""
    both = 1 if added else 2
    e, widths = 512, [128, 128, 256, 512, 1024]
    total = 2 * (dense(64, e) + dense(e, e)) + pooling(text, e) + conv(6, 128)
    for level, count in enumerate(blocks):
        before, width = widths[level], widths[level + 1]
        last = level == 3
        total += conv(before, width) + count * residual(width, width, e)
        total += (count - last) * residual(both * width, width, e)
        total += last * residual(width, width, e)
        total += conv(width, 4 * before)
    norms, inner = 2 * 1024 + 2 * text, 8 * 256
    to_text = dense(text, 2 * inner) + dense(inner, 1024)
    own = dense(1024, 3 * inner) if self_attention else dense(1024, inner) + text
    end = both * 128
    return total + 2 * (norms + to_text + own) + 2 * end + conv(end + 6, 3)


@pytest.mark.parametrize("option", SIZES)
def test_a_network_of_the_paper_has_the_size_that_it_states(option: str) -> None:
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
    cfg = settings(option)
    kind = cfg["blocks"], cfg["self_attention"]
    assert size(large(option)) == efficient(*kind)
    assert size(large(option, skip_join="added")) == efficient(*kind, added=True)


def test_a_convolution_on_every_shortcut_is_counted_by_hand() -> None:
    """Fig. A.27: all blocks on the way down, and the one up whose input no skip widens."""
    always = size(large("efficient_unet_600m", shortcut="always"))
    down = zip((2, 4, 8, 8), (128, 256, 512, 1024), strict=True)
    more = sum(count * conv(width, width, 1) for count, width in down) + conv(1024, 1024, 1)
    assert always == size(large("efficient_unet_600m")) + more


def test_the_demos_control_has_as_many_parameters_as_its_efficient_unet() -> None:
    sizes = []
    for option in ("demo_unet_sr", "demo_efficient_unet"):
        cfg = config.compose("train", ["stage=demo_sr", f"network={option}"])
        with torch.device("meta"):
            sizes.append(size(config.build(cfg.network)))
    assert sizes == [2_305_827, 2_305_749]  # as conf/network/demo_unet_sr.yaml says


@pytest.mark.parametrize("option", SIZES)
def test_the_narrow_network_of_the_laws_has_the_parts_of_the_large_one(option: str) -> None:
    with torch.device("meta"):
        small = config.build(narrow(settings(option)))
    assert [n for n, _ in small.named_parameters()] == [
        n for n, _ in large(option).named_parameters()
    ]


@pytest.mark.parametrize("option", ["demo_unet", "unet_300m", "efficient_unet_600m"])
def test_checkpointing_changes_no_gradient(option: str) -> None:
    results = []
    for checkpointing in (False, True):
        network = build(option, checkpointing=checkpointing)
        output = call(network)
        output.square().sum().backward()
        results.append([output, *(p.grad for p in network.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_checkpointing_stores_less_than_half_of_the_activations() -> None:
    sizes = []
    for checkpointing in (False, True):
        network, total = build("unet_300m", checkpointing=checkpointing), 0

        def store(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal total
            total += tensor.nbytes
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(store, lambda t: t):
            call(network)
        sizes.append(total)
    assert sizes[1] < sizes[0] / 2


@pytest.mark.parametrize("option", DEMO)
def test_the_demos_networks_have_the_keys_and_shapes_of_existing_runs(option: str) -> None:
    """In their order, one for one, under the names of FORMER_KEYS."""
    state = config.build(
        OmegaConf.to_container(config.compose("train", [f"network={option}"]).network, resolve=True)
    ).state_dict()
    rows = json.dumps([[former_key(name), list(value.shape)] for name, value in state.items()])
    assert hashlib.sha256(rows.encode()).hexdigest() == DEMO[option]


def former_key(name: str) -> str:
    for today, former in FORMER_KEYS.items():
        name = name.replace(today, former)
    return name
