"""What the command line changes of a definition: settings of `train` and `evaluate`, of one stage's
training, of the shards, of a figure or an arm, and to which arms it is restricted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from imagen_lit.ablation import axis
from imagen_lit.basics.errors import InputError

COMMANDS = ("train", "evaluate")
NESTED = ("figures", "arms")


@dataclass(frozen=True)
class Changes:
    """`definition`: what is merged over its file; `only`: labels of arms by axis."""

    definition: Mapping[str, Any]
    only: Mapping[str, Sequence[str]]


def read(words: Sequence[str], seeds: Any = None) -> Changes:
    """Of the words of a command line, and the seeds if it names any."""
    tree: dict[str, Any] = {}
    only: dict[str, list[str]] = {}
    keys: list[str]
    for word in words:
        mark = "~" if word.startswith("~") else ""
        part, _, rest = word.removeprefix(mark).partition(".")
        if part == "settings" or rest.startswith("settings."):
            group, _, rest = rest.partition(".")
            keys = [part, group]
        else:
            keys = [part]
        key, value = _setting(mark + rest, word)
        if part == "only":
            only[key] = [
                axis.label(each) for each in (value if isinstance(value, list) else [value])
            ]
            continue
        if part in NESTED:
            *more, key = key.split(".")
            keys += more
        node = tree
        for each in keys:
            node = node.setdefault(each, {})
        node[key] = value
    if seeds is not None:
        tree["seeds"] = seeds
    return Changes(tree, only)


def _setting(word: str, whole: str) -> tuple[str, Any]:
    """Key and value, as Hydra reads them."""
    override = OverridesParser.create().parse_override(word)
    if override.is_sweep_override():
        raise InputError(
            f"{whole} gives several values. Give one, or make them an axis of the ablation's file."
        )
    key = str(override.get_key_element())
    return key, None if override.is_delete() else override.value()
