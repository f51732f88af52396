"""What a training needs first: shards, a text encoder, and the captions that it has read.

An encoder that one of our commands makes is a cell too; one that comes from elsewhere is a cell
that a person does by hand.
"""

import functools
import json
import shlex
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.ablation import override
from imagen_lit.ablation.cell import BY_HAND, Cell
from imagen_lit.ablation.definition import EVALUATE, MEASURES, Definition
from imagen_lit.cli import config

OURS = ["python", "-m"]
ROOM = "imagen_lit."


def prepare(definition: Definition, command: str, settings: Mapping[str, Any]) -> list[Cell]:
    """The cells that a training or a drawing with these settings needs, in order."""
    if command == EVALUATE:
        measures = {k: v for k, v in settings.items() if k.partition(".")[0] in MEASURES}
        return [_making(path, line) for path, line in _extractors(json.dumps(measures))]
    choices = {k: v for k, v in settings.items() if k not in ("seed", "name")}
    name, path, make_command = _encoder(json.dumps(choices))
    encoder = [] if make_command is None else [_making(path, make_command)]
    data = definition.data
    if data is None:
        return encoder
    folder = str(data["folder"])
    shards = Cell(str(data["command"]), {**(data.get("settings") or {}), "folder": folder}, folder)
    needs = (shards.name, *(each.name for each in encoder))
    text = {"text": name, "shards": shards.name}
    return [shards, *encoder, Cell("embed_text", text, f"{shards.name}.text/{name}", needs)]


def differs(command: str, usual: Mapping[str, Any], key: str, value: Any) -> bool:
    """Whether a setting changes anything beside the usual ones of a command."""
    return _plain(command, json.dumps(usual)) != _plain(command, json.dumps({**usual, key: value}))


def compose(command: str, settings: Mapping[str, Any]) -> DictConfig:
    """The config of a command with these settings; refused as the command itself would."""
    return config.compose(command, override.words(settings))


@functools.cache
def _plain(command: str, frozen: str) -> str:
    cfg = compose(command, json.loads(frozen))
    return json.dumps(OmegaConf.to_container(cfg, resolve=False), sort_keys=True)


@functools.cache
def _encoder(frozen: str) -> tuple[str, str, str | None]:
    """Name, folder and the command that makes it."""
    text = compose("train", json.loads(frozen)).text
    return str(text.name), str(text.get("path")), text.get("make_command")


@functools.cache
def _extractors(frozen: str) -> list[tuple[str, str]]:
    """Path and making command of each network that looks at the images."""
    cfg = compose(EVALUATE, json.loads(frozen))
    nodes = [node for each in cfg.metrics.values() for node in each.values()]
    parts = [node for node in nodes if OmegaConf.is_dict(node) and node.get("make_command")]
    return list(dict.fromkeys((str(node.path), str(node.make_command)) for node in parts))


def _making(path: str, make_command: str) -> Cell:
    words = shlex.split(make_command)
    if words[:2] != OURS or not words[2].startswith(ROOM):
        return Cell(BY_HAND, {"line": make_command}, path)
    settings = OmegaConf.to_container(OmegaConf.from_dotlist(words[3:]))
    return Cell(words[2].removeprefix(ROOM), settings, path)
