"""The paper's settings of a stage: what `conf/stage/base64`, `sr256` and `sr1024` choose, and for
each value its source, read from the comments in `conf/`, its only home.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from imagen_lit.cli import assets, config
from imagen_lit.paper import conf_file, flat_settings, source
from imagen_lit.paper.source import Choice, Source

STAGES = {"base64": "64 × 64 base", "sr256": "64 → 256 stage", "sr1024": "256 → 1024 stage"}
LAST = 512  # pixels of the output, from which a super-resolution stage is the paper's last one
COPY = re.compile(r"\$\{([\w.]+)\}")
LATEST = ("stage", "scale")  # groups whose word counts more than that of the others


@dataclass(frozen=True)
class Reference:
    """`values`, `sources`: by key. `copies`: keys that hold what another key says, with that key,
    and whether it is a part."""

    stage: str
    values: Mapping[str, str]
    sources: Mapping[str, Source]
    copies: Mapping[str, tuple[str, bool]]


def stage_of(settings: Mapping[str, Any]) -> str | None:
    """Which stage of the paper a run's settings correspond to: by its condition, and for
    super-resolution by the size of its output. None: to none."""
    stage, data = settings.get("stage"), settings.get("data")
    condition = stage.get("condition") if isinstance(stage, dict) else None
    target = condition.get("_target_") if isinstance(condition, dict) else None
    if not isinstance(target, str):
        return None
    if target.endswith(".TextOnly"):
        return "base64"
    size = data.get("size") if isinstance(data, dict) else None
    if not target.endswith(".TextAndLowRes") or type(size) is not int:
        return None
    return "sr1024" if size >= LAST else "sr256"


@cache
def of(stage: str) -> Reference:
    """The reference of a stage."""
    cfg = config.compose("train", [f"stage={stage}"], with_hydra=True)
    choices = {
        str(key): str(option)
        for key, option in cfg.hydra.runtime.choices.items()
        if option is not None and not str(key).startswith("hydra/")
    }
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    copies = dict(_copies(OmegaConf.to_container(cfg)))
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    values = flat_settings.flatten(settings)
    values = {key: value for key, value in values.items() if not _is_copy(key, copies)}
    comments = _comments(choices)
    sources = {key: source.read(comments.get(key, "")) for key in values}
    return Reference(stage, values, sources, copies)


@cache
def reasons() -> Mapping[tuple[str, str], Source]:
    """What `conf/` says of a value wherever it is chosen, by key and value; ours counts most."""
    known: dict[tuple[str, str], Source] = {}

    def add(key: str, value: str | None, note: Source) -> None:
        if value is not None and note.choice is not Choice.UNKNOWN:
            other = known.setdefault((key, value), note)
            if note.choice is Choice.OURS and other.choice is not Choice.OURS:
                known[key, value] = note

    for file in sorted(_conf().rglob("*.yaml")):
        option = file.relative_to(_conf()).with_suffix("").as_posix()
        if "/" not in option or option.startswith("hydra/"):
            continue
        own = conf_file.read(_conf(), option)
        values = _values(option)
        for key, comment in own.comments.items():
            part = key.removesuffix("._target_")
            add(part, values.get(part), source.read(comment))
        for part, (filled, comment) in own.choices.items():
            if (_conf() / f"{filled}.yaml").is_file():
                add(part, _values(filled, part).get(part), source.read(comment))
    return known


def run_values(settings: Mapping[str, Any], reference: Reference) -> dict[str, str]:
    """A run's settings under the reference's keys: what its stage holds counts, wherever a user has
    typed it."""
    flat = flat_settings.flatten(settings)
    moved: dict[str, str] = {}
    for key in list(flat):
        for copy, (origin, is_part) in reference.copies.items():
            if key == copy or key.startswith(f"{copy}."):
                value = flat.pop(key)
                if is_part:
                    moved[origin + key[len(copy) :]] = value
                break
    merged = flat_settings.compared(flat | moved)
    return {key: value for key, value in merged.items() if not _is_copy(key, reference.copies)}


def _conf() -> Path:
    return Path(assets.conf())


def _copies(whole: Any) -> Iterator[tuple[str, tuple[str, bool]]]:
    """Each key that says ${another}, with that one, and whether it is a part."""

    def walk(node: Any, key: str) -> Iterator[tuple[str, tuple[str, bool]]]:
        if isinstance(node, dict):
            for name, value in node.items():
                yield from walk(value, f"{key}.{name}".lstrip("."))
        elif isinstance(node, str) and (match := COPY.fullmatch(node)):
            origin = whole
            for word in match[1].split("."):
                origin = origin.get(word) if isinstance(origin, dict) else None
            yield key, (match[1], isinstance(origin, dict))

    yield from walk(whole, "")


def _is_copy(key: str, copies: Mapping[str, Any]) -> bool:
    return any(key == copy or key.startswith(f"{copy}.") for copy in copies)


def _comments(choices: Mapping[str, str]) -> dict[str, str]:
    """By key, of all files that the choices name; the stage's own word counts most."""
    comments: dict[str, str] = {}
    _add("train", "", comments)
    for slot in [slot for slot in choices if slot not in LATEST] + [*LATEST]:
        if slot in choices:
            group, _, place = slot.partition("@")
            _add(f"{group}/{choices[slot]}", place.removeprefix("_global_."), comments)
    return comments


def _add(option: str, place: str, comments: dict[str, str]) -> None:
    if not (_conf() / f"{option}.yaml").is_file():
        return  # stored in Hydra alone
    own = conf_file.read(_conf(), option, place)
    for base in own.base:
        _add(f"{option.rpartition('/')[0]}/{base}", place, comments)
    for key, comment in own.comments.items():
        if comment:
            comments[key.removesuffix("._target_")] = comment
    for key, (_, comment) in own.choices.items():
        if comment:
            comments[key] = comment


def _values(option: str, place: str = "") -> dict[str, str]:
    """What a file sets, by whole key."""
    text = (_conf() / f"{option}.yaml").read_text()
    settings = yaml.safe_load(text) or {}
    settings.pop("defaults", None)
    header = conf_file.HEADER.search(text)
    package = header[1] if header else option.rpartition("/")[0].replace("/", ".")
    package = place or package
    for word in [] if package == "_global_" else reversed(package.split(".")):
        settings = {word: settings}
    return flat_settings.flatten(settings)
