"""An axis of a grid: what differs along it, with a label for each choice.

weight: {setting: cascade.base.recipe.guidance.weight, values: [1, 2, 3]}
augmentation:
  to: [sr]
  choices:
    none: {stage/augmentation: none}
    noise: {stage/augmentation: noise}
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError

KEYS = {"setting", "values", "choices", "to"}
CLOCKS = ("images", "seconds", "flops")  # of a training: along them no axis is needed


@dataclass(frozen=True)
class Choice:
    """One value of an axis."""

    axis: str
    label: str
    settings: Mapping[str, Any]
    to: tuple[str, ...]  # the stages, or `evaluate`, that these settings are for


@dataclass(frozen=True)
class Axis:
    """All values of an axis, in the order in which figures list them."""

    name: str
    choices: tuple[Choice, ...]


def read(name: str, node: Any, to: Sequence[str], allowed: Sequence[str], where: str) -> Axis:
    """The axis in a YAML node; `to` is what its settings are for unless it says so itself."""
    if isinstance(node, Mapping):
        node = {key: value for key, value in node.items() if value is not None}
    if (
        not isinstance(node, Mapping)
        or set(node) - KEYS
        or ("setting" in node) == ("choices" in node)
    ):
        raise InputError(
            f"{where}: the axis {name} is {node!r}. Write either setting: <key> with values: "
            "[...], or choices: {label: {key: value}}."
        )
    targets = tuple(node.get("to", to))
    for target in targets:
        if target not in allowed:
            raise InputError(
                f"{where}: the axis {name} is for {target}{did_you_mean(target, allowed)}. "
                f"Choose from {', '.join(allowed)}."
            )
    if "setting" in node:
        values = node.get("values")
        values = values if isinstance(values, list) else []
        pairs = [(label(value), {node["setting"]: value}) for value in values]
    else:
        choices = node["choices"] if isinstance(node["choices"], Mapping) else {}
        pairs = [(label(name), each) for name, each in choices.items() if each is not None]
    labels = [each for each, _ in pairs]
    if not pairs or len(set(labels)) < len(labels):
        found = f"has {', '.join(labels)}, one of them twice" if pairs else "has no values"
        raise InputError(f"{where}: the axis {name} {found}. Write each of its values once.")
    return Axis(name, tuple(Choice(name, text, each, targets) for text, each in pairs))


def product(axes: Sequence[Axis]) -> Iterator[tuple[Choice, ...]]:
    """Every combination of a choice of each axis; the last axis varies fastest."""
    return itertools.product(*(axis.choices for axis in axes))


def settings(choices: Sequence[Choice], target: str) -> dict[str, Any]:
    """What these choices set for a stage, or for `evaluate`."""
    return {
        key: value
        for choice in choices
        if target in choice.to
        for key, value in choice.settings.items()
    }


def label(value: Any) -> str:
    """A value as a figure names it, and as a person types it."""
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
