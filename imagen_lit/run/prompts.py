"""The prompts that a config names, for the data of a run."""

from typing import Any

from lightning import LightningDataModule
from omegaconf import DictConfig

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.data.prompts.source import Prompts, Source


def build(node: Any, data: LightningDataModule) -> Prompts:
    """Refused where prompts and data do not fit together."""
    require_source(node)
    source: Source = config.build(node)
    return source.of(data)


def require_source(node: Any) -> None:
    """Refuse what is no source of prompts, such as the name of one."""
    if not isinstance(node, DictConfig):
        raise InputError(
            f"prompts={node} is no source of prompts. Choose one with data/prompts=captions, file "
            "or shapes; prompts.count=8 and the like set what belongs to it."
        )
