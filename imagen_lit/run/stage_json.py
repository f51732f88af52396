"""Config nodes in a JSON file that anyone may have written: data, never instructions.

A node names classes and functions of this package's `network`, `diffusion` and `stage`, each by the
file that defines it, and nothing that a config could resolve.
"""

import re
from importlib import import_module
from typing import Any

from imagen_lit.basics.errors import InputError

TARGET = re.compile(r"(imagen_lit\.(?:network|diffusion|stage)\.[a-z0-9_]+)\.([A-Za-z0-9_]+)")
ENCODER = re.compile(r"(imagen_lit\.(?:text|contrastive)\.[a-z0-9_]+)\.([A-Za-z0-9_]+)")
LOADER = re.compile(r"transformers\.[A-Za-z0-9]+\.from_pretrained")
KEYS = ("_target_", "_partial_")
LOADER_KEYS = {*KEYS, "add_pooling_layer"}


def require_stage(node: Any, file: Any) -> None:
    """Raise unless a node describes parts of a stage."""
    for each in _nodes(node, file):
        _require_own(each["_target_"], TARGET, file, "network, diffusion and stage")


def require_text(node: Any, file: Any) -> None:
    """Raise unless a node describes a text encoder."""
    for each in _nodes(node, file):
        target = str(each["_target_"])
        if LOADER.fullmatch(target):
            if others := sorted({*each} - LOADER_KEYS):
                raise _refusal(file, f"loads the text encoder with {others[0]}")
        else:
            _require_own(target, ENCODER, file, "text")


def _nodes(node: Any, file: Any) -> list[dict[str, Any]]:
    """All that name something to build; raise for what a config would resolve."""
    if isinstance(node, str) and "${" in node:
        raise _refusal(file, f"holds {node!r}, which is no value")
    if isinstance(node, list):
        return [each for child in node for each in _nodes(child, file)]
    if not isinstance(node, dict):
        return []
    for key in node:
        if str(key).startswith("_") and key not in KEYS:
            raise _refusal(file, f"holds the key {key}")
    below = [each for child in node.values() for each in _nodes(child, file)]
    return [node, *below] if "_target_" in node else below


def _require_own(target: Any, allowed: re.Pattern[str], file: Any, rooms: str) -> None:
    """Raise unless it is defined in a file of these rooms; what such a file imports is not."""
    match = allowed.fullmatch(str(target))
    try:
        found = None if match is None else getattr(import_module(match[1]), match[2], None)
    except ImportError:
        found = None
    if match is None or getattr(found, "__module__", None) != match[1]:
        raise _refusal(file, f"names {target}, which is none of the parts in {rooms}")


def _refusal(file: Any, what: str) -> InputError:
    return InputError(
        f"{file} {what}. It is foreign, damaged, or from another version of imagen_lit. Fetch it "
        "again, or export the cascade again."
    )
