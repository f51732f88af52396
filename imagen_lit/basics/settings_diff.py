"""Which settings differ between what a folder or file records and the current request, in words.

Settings are flat: keys as they are typed, `stage.condition.drop`, and plain values.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

HASH = re.compile(r"[0-9a-f]{40,}")
SHOWN = 8  # settings shown with their values; of any more, some names


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    if not isinstance(node, dict):
        return {prefix: node}
    return {
        k: v
        for key, value in node.items()
        for k, v in flatten(value, f"{prefix}.{key}".lstrip(".")).items()
    }


def differing_keys(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ, or that only one side has."""
    return [key for key in sorted({*there, *here}) if there.get(key) != here.get(key)]


def settings_diff(
    there: Mapping[str, Any], here: Mapping[str, Any], keys: Iterable[str] | None = None
) -> str:
    """`seed is 0 there, 1 here; …` for the differing keys, or for `keys`; empty if all agree.

    The keys that people type come first: short ones before deep ones. A copy, such as
    stage.optimizer.lr of optimizer.lr, is not a second difference.
    """
    keys = differing_keys(there, here) if keys is None else keys
    ordered = _without_copies(sorted(keys, key=lambda key: (key.count("."), key)), there, here)
    shown = "; ".join(
        f"{key} is {plain_value(there, key)} there, {plain_value(here, key)} here"
        for key in ordered[:SHOWN]
    )
    more, rest = ordered[SHOWN : 2 * SHOWN], len(ordered) - 2 * SHOWN
    names = ", ".join(more) + (f" and {rest} more" if rest > 0 else "")
    return "; and ".join(filter(None, [shown, names]))


def _without_copies(
    ordered: Iterable[str], there: Mapping[str, Any], here: Mapping[str, Any]
) -> list[str]:
    originals: list[str] = []
    for key in ordered:
        both = there.get(key), here.get(key)
        if not any(
            key.endswith(f".{short}") and both == (there.get(short), here.get(short))
            for short in originals
        ):
            originals.append(key)
    return originals


def plain_value(settings: Mapping[str, Any], key: str) -> str:
    """As it is typed; of a long hash the beginning, which tells two apart."""
    value = settings.get(key)
    if isinstance(value, str) and HASH.fullmatch(value):
        return f"'{value[:12]}…'"
    return repr(value) if key in settings else "absent"
