"""The order in which a command line has to list settings: a choice of a group comes before the
values that override a part of it."""

from collections.abc import Mapping
from typing import Any


def ordered(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Groups first; else as they come."""
    return dict(sorted(settings.items(), key=lambda item: "." in item[0].partition("@")[0]))
