"""A sample's .json, which may come from anywhere: nothing in it is trusted, and one that cannot be
parsed counts as empty."""

import json
from typing import Any


def parse(text: bytes | str) -> dict[str, Any]:
    """The JSON object in a text, or an empty one."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, an endless number, too deep
        return {}
    return value if isinstance(value, dict) else {}
