"""What a training or a drawing needs first: shards, a text encoder, the captions that it has read,
and the networks that look at images.

What one of our commands makes is a cell too; what comes from elsewhere is a cell that a person does
by hand.
"""

import functools
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.ablation import setting_order
from imagen_lit.ablation.cell import BY_HAND, Cell
from imagen_lit.ablation.definition import EVALUATE, MEASURES, Definition
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config, override, user_error
from imagen_lit.run.measures_digest import measures_digest

OURS = ["python", "-m"]
ROOM = "imagen_lit."
TRAIN, TEXT = "train", "text"


def prepare(definition: Definition, command: str, settings: Mapping[str, Any]) -> list[Cell]:
    """The cells that a training or a drawing with these settings needs, in order."""
    if command == EVALUATE:
        return [_making(path, line) for path, line in _extractors(_frozen(_measures(settings)))]
    name, path, make_command = _encoder(settings)
    encoder = [] if make_command is None else [_making(path, make_command)]
    data = definition.data
    if data is None:
        return encoder
    shards = [_shards(each) for each in (data.get("first"), data) if each]
    shards = [shards[0], *(replace(each, needs=(shards[0].name,)) for each in shards[1:])]
    last = shards[-1].name
    needs = (last, *(each.name for each in encoder))
    text = {TEXT: name} | {k: v for k, v in settings.items() if k.partition(".")[0] == TEXT}
    read = Cell("embed_text", {**text, "shards": last}, f"{last}.text/{name}", needs)
    return [*shards, *encoder, read]


def _shards(node: Mapping[str, Any]) -> Cell:
    """A command that makes shards, or fetches what they are made of; `folder` says where."""
    folder, settings = str(node["folder"]), dict(node.get("settings") or {})
    if node["command"] == "build_shards":
        settings = {"folder": folder, **settings}
    return Cell(str(node["command"]), settings, folder)


def differs(command: str, usual: Mapping[str, Any], key: str, value: Any) -> bool:
    """Whether a setting changes anything beside the usual ones of a command."""
    settings, choices = _plain(command, _frozen(usual))
    if key in choices and isinstance(value, str):
        return choices[key] != value
    node: Any = settings
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return _plain(command, _frozen({**usual, key: value}))[0] != settings
        node = node[part]
    return bool(node != value)


def compose(command: str, settings: Mapping[str, Any]) -> DictConfig:
    """The config of a command with these settings; refused as the command itself would."""
    return _of_words(command, override.words(settings))


def setting(command: str, settings: Mapping[str, Any], key: str) -> Any:
    """The value that a key has, beside these settings."""
    node: Any = _plain(command, _frozen(settings))[0]
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def measures(settings: Mapping[str, Any]) -> str:
    """The digest of what a drawing with these settings is measured by."""
    return measures_digest(_plain(EVALUATE, _frozen(_measures(settings)))[0])


def _frozen(settings: Mapping[str, Any]) -> str:
    """The same for the same settings, whatever their order."""
    return json.dumps(setting_order.ordered(dict(sorted(settings.items()))))


@functools.cache
def _composed(command: str, frozen: str) -> DictConfig:
    return _of_words(command, override.words(json.loads(frozen)), with_hydra=True)


def _of_words(command: str, words: Sequence[str], with_hydra: bool = False) -> DictConfig:
    try:
        return config.compose(command, words, with_hydra)
    except Exception as error:
        plain: Any = OmegaConf.to_container(config.compose(command), resolve=False)
        sentence = user_error.sentence(error, lambda: [*config.keys(plain), *config.groups()])
        if sentence is None or isinstance(error, InputError):
            raise
        reason = sentence.partition(" Type --help")[0].removesuffix(".")  # which would be ablate's
        raise InputError(
            f"of the settings of {command}: {reason}. Type python -m imagen_lit.{command} --help "
            "for all of them."
        ) from error


@functools.cache
def _plain(command: str, frozen: str) -> tuple[dict[str, Any], dict[str, str | None]]:
    """All settings as they are written, and which option was chosen of each group."""
    settings: Any = OmegaConf.to_container(_composed(command, frozen), resolve=False)
    choices = settings.pop("hydra")["runtime"]["choices"]
    return settings, choices


def _measures(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in settings.items() if k.partition(".")[0] in MEASURES}


def _encoder(settings: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Name, folder and the command that makes it. All but the choice of the encoder is the same for
    many trainings, and an encoder alone is composed faster than a training."""
    own = {k: v for k, v in settings.items() if k.partition(".")[0] == TEXT}
    if TEXT not in own:
        others = {k: v for k, v in settings.items() if "." not in k and k not in ("seed", "name")}
        own[TEXT] = _plain(TRAIN, _frozen(others))[1][TEXT]
    text = _plain("embed_text", _frozen(own))[0][TEXT]
    return str(text["name"]), str(text.get("path")), text.get("make_command")


@functools.cache
def _extractors(frozen: str) -> list[tuple[str, str]]:
    """Path and making command of each network that looks at the images."""
    cfg = _composed(EVALUATE, frozen)
    nodes = [node for each in cfg.metrics.values() for node in each.values()]
    parts = [node for node in nodes if OmegaConf.is_dict(node) and node.get("make_command")]
    return list(dict.fromkeys((str(node.path), str(node.make_command)) for node in parts))


def _making(path: str, make_command: str) -> Cell:
    words = shlex.split(make_command)
    if words[:2] != OURS or not words[2].startswith(ROOM):
        return Cell(BY_HAND, {"line": make_command}, path)
    settings: Any = OmegaConf.to_container(OmegaConf.from_dotlist(words[3:]))
    return Cell(words[2].removeprefix(ROOM), settings, path)
