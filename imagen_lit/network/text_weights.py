"""Where a network's attention looks in the text: the weights of the softmax, while it draws.

An observer computes them a second time, from what goes into each layer, and so costs about one more
softmax; the network's own numbers keep their bits. Nobody who does not look pays.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from imagen_lit.network.attention import (
    Reading,
    SelfTextAttention,
    TextAttention,
    split_heads,
    to_positions,
)


@contextmanager
def observed(network: nn.Module, each: Callable[[Tensor], None]) -> Iterator[None]:
    """Call `each` with the weights [B, L] of every layer that attends to the text, in each pass."""

    def hook(
        layer: SelfTextAttention | TextAttention, inputs: tuple[Any, ...], out: Tensor
    ) -> None:
        each(weights(layer, *inputs))

    kinds = SelfTextAttention, TextAttention
    layers = [layer for layer in network.modules() if isinstance(layer, kinds)]
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def weights(
    layer: SelfTextAttention | TextAttention,
    x: Tensor,
    text: Tensor,
    mask: Tensor,
    reading: Reading | None = None,
) -> Tensor:
    """[B, L]: how much of a layer's attention each token gets, the mean over heads and positions;
    the rest goes to the image, or to the null token."""
    reading = layer.read(text, mask) if reading is None else reading
    positions = to_positions(layer.norm(x))
    if isinstance(layer, SelfTextAttention):
        query, own, _ = split_heads(layer.query_key_value(positions), layer.heads, 3)
        key = torch.cat([own, reading.key], dim=2)
        seen = reading.visible.new_ones(len(x), 1, 1, positions.shape[1])
        visible, first = torch.cat([seen, reading.visible], dim=3), positions.shape[1]
    else:
        (query,) = split_heads(layer.query(positions), layer.heads, 1)
        key, visible, first = reading.key, reading.visible, 1
    affinity = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    softmax = affinity.float().masked_fill(~visible, float("-inf")).softmax(-1)
    return softmax[..., first:].mean((1, 2))
