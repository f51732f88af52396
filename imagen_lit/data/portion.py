"""One folder of a mixture, in the words of a config: {shards, weight, text, filter}. A word that is
misspelt, or a value of another kind, is an error and never passed over."""

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

from imagen_lit.data.filter import Filter
from imagen_lit.data.number import above_zero


class Portion(NamedTuple):
    shards: str
    text: str
    weight: float
    filter: Filter | None


def portion(words: Any, text: str) -> Portion:
    """`text` is the first folder's, for one that does not name its own."""
    what = "a folder of data.mixed_with"
    if not isinstance(words, Mapping):
        raise ValueError(f"found {words!r} as {what}: expected {{shards: …, weight: …}}")
    _names(what, words, Portion._fields)
    found = {"text": text, "weight": 1.0, "filter": None} | words  # type: ignore[operator]
    for name in ("shards", "text"):
        if not isinstance(found.get(name), str):
            raise ValueError(f"{what} has {name}={found.get(name)!r}: expected a name")
    chosen = found["filter"]
    if isinstance(chosen, Mapping):
        _names(f"{what}, in its filter,", chosen, inspect.signature(Filter).parameters)
        chosen = Filter(**chosen)
    if not isinstance(chosen, Filter | None):
        raise ValueError(f"{what} has filter={chosen!r}: expected {{min_side: …}} or the like")
    return Portion(found["shards"], found["text"], above_zero("weight", found["weight"]), chosen)


def _names(what: str, words: Mapping[str, Any], known: Any) -> None:
    if unknown := [str(name) for name in words if name not in known]:
        raise ValueError(f"{what} has {unknown[0]!r}: expected {', '.join(known)}")
