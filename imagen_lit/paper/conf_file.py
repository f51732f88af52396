"""A file of `conf/` with its comments: beside a key on its line, or on lines of their own above it.

A key takes no comment from the one that holds it, so a new key is without a source until someone
writes one beside it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

HEADER = re.compile(r"^# @package (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class ConfFile:
    """`comments`: by the whole key, as one types it. `choices`: (option, comment) by the
    key that the option fills. `base`: options of its own group that it extends."""

    comments: dict[str, str]
    choices: dict[str, tuple[str, str]]
    base: tuple[str, ...]


@cache
def read(conf: Path, option: str, place: str = "") -> ConfFile:
    """`option`: its path below `conf` without the ending. `place`: the key that it fills, if
    that is not its group's."""
    text = (conf / f"{option}.yaml").read_text()
    lines, node = text.splitlines(), yaml.compose(text, yaml.SafeLoader)
    header, group = HEADER.search(text), option.rpartition("/")[0]
    package = place or (header[1] if header else group.replace("/", "."))
    prefix = "" if package in ("", "_global_") else f"{package}."
    comments, choices, base = dict[str, str](), dict[str, tuple[str, str]](), list[str]()
    for key, at, value in _keys(node):
        if key == "defaults":
            for item in value.value if isinstance(value, yaml.SequenceNode) else ():
                if isinstance(item, yaml.ScalarNode):
                    base += [item.value] * (item.value != "_self_")
                    continue
                for chosen, name in item.value:
                    slot = chosen.value.removeprefix("override ")
                    slot = slot[1:] if slot.startswith("/") else f"{group}/{slot}".lstrip("/")
                    filled = f"{slot.partition('@')[0]}/{name.value}"
                    choices[_place(slot, prefix)] = (filled, _comment(lines, chosen.start_mark))
        elif not key.startswith("defaults."):
            comments[prefix + key] = _comment(lines, at)
    return ConfFile(comments, choices, tuple(base))


def _place(slot: str, prefix: str) -> str:
    """The key that an option fills: that of its group, or what is written behind the @."""
    group, _, at = slot.partition("@")
    if not at:
        return group.replace("/", ".")
    if at == "_here_":
        return prefix.rstrip(".")
    return at.removeprefix("_global_.") if at.startswith("_global_") else prefix + at


def _keys(node: yaml.Node | None, prefix: str = "") -> Iterator[tuple[str, yaml.Mark, yaml.Node]]:
    """(key, where it stands, its value), those of parts as well."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield f"{prefix}{key.value}", key.start_mark, value
            yield from _keys(value, f"{prefix}{key.value}.")


def _comment(lines: list[str], at: yaml.Mark) -> str:
    line = lines[at.line]
    beside = _beside(line)
    if beside or line[: at.column].strip(" -"):
        return beside
    above: list[str] = []
    for each in reversed(lines[: at.line]):
        if not each.strip().startswith("# ") or each.strip().startswith("# @package"):
            break
        above.insert(0, each.strip()[1:].strip())
    return " ".join(above)


def _beside(line: str) -> str:
    """What follows the # of a line, if that is outside of quotes."""
    quote, before = "", " "
    for number, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and before in " [{,:":
            quote = letter
        elif letter == "#" and before.isspace():
            return line[number + 1 :].strip() if line[:number].strip() else ""
        before = letter
    return ""
