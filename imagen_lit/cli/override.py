"""A setting as a word of a command line, as Hydra reads it: `key=value`; `~key` removes one."""

import re
from collections.abc import Mapping
from typing import Any

PLAIN = re.compile(r"[A-Za-z_/][\w./@+-]*", re.ASCII)  # others Hydra reads in quotes
RESERVED = {"null", "true", "false", "inf", "nan", "yes", "no", "on", "off"}


def words(settings: Mapping[str, Any]) -> list[str]:
    """One word for each setting, in their order: a group before what it is overridden by."""
    return [word(key, value) for key, value in settings.items()]


def word(key: str, value: Any) -> str:
    """`key=value`."""
    return key if key.startswith("~") else f"{key}={_literal(value)}"


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_literal, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_literal(each)}' for key, each in value.items())}}}"
    text = str(value)
    if PLAIN.fullmatch(text) and text.lower() not in RESERVED:
        return text
    slashes = re.sub(r"(\\+)(?='|$)", r"\1\1", text)  # only before a quote do they count
    return "'" + slashes.replace("'", r"\'") + "'"
