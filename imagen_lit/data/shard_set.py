"""A folder of shards with its text sidecars and a filter: one of those that training mixes.

`ShardSetSpec` is its entry in the config, {shards, text, weight, filter}; `ShardSet` is the folder,
opened. A misspelt key, or a value of another type, is an error and never ignored.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imagen_lit.basics.arguments import positive_number
from imagen_lit.basics.errors import InputError
from imagen_lit.data.filter import Filter
from imagen_lit.data.selection import Selection
from imagen_lit.data.shard_files.collection import Collection

ENTRY = "an entry of data.mixed_with"


@dataclass(frozen=True)
class ShardSet:
    """An open folder of shards, and which of its rows are read; without `text`, captions alone."""

    shards: Collection
    text: Path | None
    selection: Selection
    is_validation: bool = False

    @property
    def counts(self) -> np.ndarray:
        """How many rows of each shard are read."""
        return self.selection.validation if self.is_validation else self.selection.training


class ShardSetSpec(NamedTuple):
    """A shard set as the config names it."""

    shards: str
    text: str
    weight: float
    filter: Filter | None


def parse_shard_set(entry: Any, text: str) -> ShardSetSpec:
    """An entry of `mixed_with`; `text` is the first folder's, for an entry that names none."""
    if not isinstance(entry, Mapping):
        raise InputError(f"{entry!r} is not {ENTRY}. Set {{shards: …, weight: …}}.")
    _check_keys(ENTRY, entry, ShardSetSpec._fields)
    values = {"shards": None, "text": text, "weight": 1.0, "filter": None} | dict(entry)
    for name in ("shards", "text"):
        if not isinstance(values[name], str):
            raise InputError(f"{ENTRY} has {name}={values[name]!r}, not a name. Set {name}: ….")
    sample_filter = values["filter"]
    if isinstance(sample_filter, Mapping):
        _check_keys(f"the filter of {ENTRY}", sample_filter, inspect.signature(Filter).parameters)
        sample_filter = Filter(**sample_filter)
    if not isinstance(sample_filter, Filter | None):
        raise InputError(
            f"{ENTRY} has filter={sample_filter!r}. Set filter: {{min_side: 64}}, for example."
        )
    weight = positive_number("weight", values["weight"])
    return ShardSetSpec(values["shards"], values["text"], weight, sample_filter)


def _check_keys(where: str, entry: Mapping[str, Any], allowed: Any) -> None:
    if unknown := [str(name) for name in entry if name not in allowed]:
        raise InputError(
            f"{where} has the unknown key {unknown[0]!r}. Choose from {', '.join(allowed)}."
        )
