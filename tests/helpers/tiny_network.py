"""The networks of conf at a size for tests, and one input for them all."""

from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn

from imagen_lit.cli import config

EDGE, LENGTH, BATCH = 32, 7, 3


def narrow(settings: dict[str, Any]) -> dict[str, Any]:
    """The paper's networks a sixteenth as wide, otherwise unchanged; the demo's as they are."""
    if settings["channels"][-1] < 100:
        return settings
    widths = ("channels", "first_channels", "head_width", "embedding", "text_channels")
    return settings | {
        name: [each // 16 for each in value] if isinstance(value, list) else value // 16
        for name, value in settings.items()
        if name in widths
    }


def new(option: str, **changes: Any) -> nn.Module:
    cfg = OmegaConf.to_container(config.compose("train", [f"network={option}"]), resolve=True)
    return config.build({**narrow(cfg["network"]), "lowres_channels": 3, **changes})


def build(option: str, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    network = new(option, **changes)
    for parameter in network.parameters():  # zero layers would hide what the tests look for
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    return network


def call(network: nn.Module, **changes: Any) -> torch.Tensor:
    g = torch.Generator().manual_seed(1)
    width = text_width(network)
    mask = torch.arange(LENGTH) < torch.tensor([7, 4, 0])[:, None]
    inputs = {
        "z": torch.randn(BATCH, 3, EDGE, EDGE, generator=g),
        "logsnr": torch.tensor([-3.0, 0.0, 4.0]),
        "text": torch.randn(BATCH, LENGTH, width, generator=g),
        "mask": mask,
        "lowres": torch.randn(BATCH, 3, EDGE // 4, EDGE // 4, generator=g),
        "lowres_logsnr": torch.tensor([1.0, 5.0, -2.0]),
    } | changes
    return network(**inputs)


def doubles(network: nn.Module) -> dict[str, torch.Tensor]:
    """An input in float64, for a network in float64."""
    g = torch.Generator().manual_seed(4)
    shapes = {
        "z": (BATCH, 3, EDGE, EDGE),
        "lowres": (BATCH, 3, EDGE // 4, EDGE // 4),
        "text": (BATCH, LENGTH, text_width(network)),
    }
    return {
        name: torch.randn(shape, generator=g, dtype=torch.double) for name, shape in shapes.items()
    }


def text_width(network: nn.Module) -> int:
    return network.text_width
