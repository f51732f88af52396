"""What a number's meaning depends on, and its hash.

Two numbers may stand in one column, in one plot or on both sides of a minus only if all that was
decided in making them was decided alike: the reference set, how many images, which seeds and
prompts, how they were resized, what looked at them, the form of the formula. These facts are the
protocol; its hash stands beside the number.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import flatten, settings_diff

Protocol = Mapping[str, Any]  # plain JSON: texts, numbers, lists and mappings of them


def digest(protocol: Protocol) -> str:
    """Twelve digits that are the same for the same facts, in whatever order they are given."""
    text = json.dumps(protocol, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def refuse_other(first: Protocol, second: Protocol, purpose: str) -> None:
    """Raise if two numbers of these protocols may not be compared, naming what differs."""
    if digest(first) == digest(second):
        return
    difference = settings_diff(flatten(dict(first)), flatten(dict(second)))
    raise InputError(
        f"numbers of two protocols cannot share {purpose} ({difference}). "
        "Give both the same protocol, or show each by itself."
    )
