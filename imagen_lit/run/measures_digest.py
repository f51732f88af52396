"""What an evaluation measures its images by, as a short name: metrics, what looks at the images,
and what they are compared with. Another name means that other scores are wanted of the same images.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

PARTS = ("metrics", "features", "text_features", "reference")
WITHOUT = ("device", "batch", "path", "make_command")  # no score depends on where and how fast


def measures_digest(settings: Mapping[str, Any]) -> str:
    """Of the settings of `evaluate` as plain Python, interpolations as they are written."""
    parts = {name: _bare(settings.get(name)) for name in PARTS}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _bare(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _bare(value) for key, value in node.items() if key not in WITHOUT}
    return [_bare(each) for each in node] if isinstance(node, list) else node
