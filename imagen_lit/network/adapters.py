"""Low-rank adapters, LoRA (Hu et al. 2021): a layer's weight W becomes W + (alpha / rank) up down.

`up` [out, rank] begins as zero, so an adapted network begins as the network. W is frozen, and so is
all else that the network had. A convolution counts as the matrix [out, in * positions].

The sum is of weights (torch's parametrizations), and not of outputs: whoever reads a layer's weight
reads the sum, and a merged network, which holds that very sum, is the adapted one bit for bit. It
is the same function, and costs `rank` multiplications for each weight in each pass. There is no
library for it here, because this is all: ordinary weights of ordinary modules, which compilation,
checkpoints, EMA and FSDP treat like any others.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.network.attention import SelfAttention, SelfTextAttention, TextAttention

LAYERS = ("attention", "linear", "all")
ATTENTION = (SelfAttention, SelfTextAttention, TextAttention)
BASE, ADAPTER = "parametrizations.weight.original", "parametrizations.weight.0."  # in names


class LowRank(nn.Module):
    """weight -> weight + scale * up down."""

    def __init__(self, weight: Tensor, rank: int, scale: float) -> None:
        super().__init__()
        inputs, self.scale = weight[0].numel(), scale
        self.down = nn.Parameter(weight.new_empty(rank, inputs).normal_(std=inputs**-0.5))
        self.up = nn.Parameter(weight.new_zeros(len(weight), rank))

    def forward(self, weight: Tensor, strength: float = 1.0) -> Tensor:
        """The adapted weight, in the weight's shape; the change multiplied by `strength`."""
        return weight + (strength * self.scale * (self.up @ self.down)).view(weight.shape)


def adapt(network: nn.Module, rank: int, alpha: float, layers: str) -> nn.Module:
    """Freeze a network, and give adapters to its `attention`, to all of its `linear` layers, or to
    `all` of these and its convolutions, but for the last one; the same network."""
    arguments.whole_number("stage.denoiser.adapters.rank", rank, 1)
    arguments.positive_number("stage.denoiser.adapters.alpha", alpha)
    arguments.choice("stage.denoiser.adapters.layers", layers, LAYERS)
    network.requires_grad_(False)
    chosen = list(_layers(network, layers))
    if not chosen:
        raise InputError(
            f"stage.denoiser.adapters.layers={layers} chooses no layer of this network. "
            "Set stage.denoiser.adapters.layers=all, for example."
        )
    for name, layer in chosen:
        edges = len(layer.weight), layer.weight[0].numel()
        if rank > min(edges):
            raise InputError(
                f"stage.denoiser.adapters.rank={rank} is larger than the layer {name} allows, a "
                f"matrix of {edges[0]} x {edges[1]}. Set stage.denoiser.adapters.rank="
                f"{min(edges)} or less, or another stage.denoiser.adapters.layers."
            )
    for _, layer in chosen:
        low_rank = LowRank(layer.weight, rank, alpha / rank)
        parametrize.register_parametrization(layer, "weight", low_rank)
    return network


@torch.no_grad()
def merged(network: nn.Module, strength: float = 1.0) -> dict[str, Tensor]:
    """The weights of the network without adapters that computes what this one does, the changes
    multiplied by `strength`."""
    weights = {}
    for name, weight in network.state_dict().items():
        if BASE in name:
            adapter: Any = network.get_submodule(name.removesuffix(BASE) + ADAPTER.rstrip("."))
            weight = adapter(weight, strength)
        if not is_adapter(name):
            weights[plain_name(name)] = weight
    return weights


def with_base(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a network without adapters, under the names that they have in this one, and
    this one's own adapters."""
    here = network.state_dict()
    names = {plain_name(name): name for name in here if not is_adapter(name)}
    own = {name: weight for name, weight in here.items() if is_adapter(name)}
    return {names.get(name, name): weight for name, weight in weights.items()} | own


def plain_name(name: str) -> str:
    """How the weight is called in the network without adapters."""
    return name.replace(BASE, "weight")


def is_adapter(name: str) -> bool:
    """Whether a weight of this name belongs to an adapter."""
    return ADAPTER in name


def _layers(network: nn.Module, layers: str) -> Iterator[tuple[str, Any]]:
    """The chosen layers by name. A subclass, such as the last convolution in float32, is none: its
    weight is few numbers, and its precision is its own affair."""
    modules = dict(network.named_modules())
    for name, module in modules.items():
        if layers == "attention":
            is_chosen = isinstance(modules[name.rpartition(".")[0]], ATTENTION)
        else:
            is_chosen = True
        is_linear = type(module) is nn.Linear
        if is_chosen and (is_linear or (layers == "all" and type(module) is nn.Conv2d)):
            yield name, module
