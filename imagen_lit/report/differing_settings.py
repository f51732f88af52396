"""The settings in which a run differs from the others of its kind, so that a sweep can be read.

What an interpolation copies is listed once, under its shortest key; what follows from the run's
name is no difference. A part is listed under its own key, by its class, and what only that class
has follows from it. A value that more than half of the runs share is the default, and only the
others are listed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imagen_lit.paper import flat_settings
from imagen_lit.paper.flat_settings import Class
from imagen_lit.run.run_facts import RunFacts

OWN = ("name", "runs", "notice", "dry_run")  # say nothing about the training
NAMES, FOLDERS = ("label", "run"), ("folder", "default_root_dir")  # keys that repeat the run's own
COPIES = ("callbacks", "logger")  # of the trainer, where they are what the config's own keys hold
NONE, ABSENT = "none", "–"  # there is no such part; no such setting

Difference = tuple[str, str, str]  # key, the value here, the values of the others


def kind(run: RunFacts) -> tuple[str, ...]:
    """Runs of one kind can be compared: of one group, and of one stage and size."""
    stage = run.setting("stage.condition._target_"), run.setting("data.size")
    return (run.group, *map(str, stage))


def differences(runs: Sequence[RunFacts]) -> dict[str, list[Difference]]:
    """For each run's name what differs, keys that people type first."""
    kinds: dict[tuple[str, ...], list[RunFacts]] = {}
    for run in runs:
        if run.settings:
            kinds.setdefault(kind(run), []).append(run)
    result: dict[str, list[Difference]] = {run.name: [] for run in runs}
    for members in kinds.values():
        for key, column in _columns(members):
            shares = Counter(column)
            default, share = shares.most_common(1)[0]
            for run, value in zip(members, column, strict=True):
                if value != default or 2 * share <= len(members):
                    others = [other for other, _ in shares.most_common() if other != value]
                    result[run.name].append((key, value, _some(others)))
    return result


def _columns(runs: Sequence[RunFacts]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(key, its value in each run) where these differ."""
    flat = [dict(_flat(run.settings, run)) for run in runs]
    parts = {key for each in flat for key in each if _is_class(each, key)}
    keys = sorted({k for each in flat for k in each}, key=lambda k: (k.count("."), len(k), k))
    seen: dict[str, list[tuple[str, ...]]] = {}  # by the key's last word
    different: list[str] = []  # parts
    for key in keys:
        missing = NONE if key in parts else ABSENT
        column = tuple(each.get(key, missing) for each in flat)
        values = {*column} - {missing}
        if len({*column}) == 1 or (missing in column and _is_within(key, different, values)):
            continue
        if key in parts:
            different.append(key)
        others = seen.setdefault(key.rpartition(".")[2], [])
        if not any(_is_copy(column, other, missing) for other in others):
            others.append(column)
            yield key, column


def _is_within(key: str, parts: Sequence[str], values: set[str]) -> bool:
    """What only one class of these parts has, and all runs with that class have alike."""
    return len(values) == 1 and any(key.startswith(f"{part}.") for part in parts)


def _is_copy(column: Sequence[str], other: Sequence[str], missing: str) -> bool:
    """The same values, as far as the setting is there."""
    return all(a in (b, missing) for a, b in zip(column, other, strict=True))


def _is_class(flat: Mapping[str, str], key: str) -> bool:
    return isinstance(flat.get(key), Class)


def _flat(node: Any, run: RunFacts, key: str = "") -> Iterator[tuple[str, str]]:
    """(key, value as text), into lists of parts as well; a part itself is there by its class."""
    parts: Mapping[Any, Any] = {}
    if isinstance(node, dict):
        parts = node
    elif isinstance(node, list) and any(isinstance(part, dict) for part in node):
        parts = dict(enumerate(node))
    for name, part in parts.items():
        path = f"{key}.{name}".lstrip(".")
        if name == "_target_" and key and isinstance(part, str):
            yield key, Class(flat_settings.short(part))
        elif path not in OWN and not (key == "trainer" and _is_repeated(name, part, run)):
            yield from _flat(part, run, path)
    if not parts:
        yield key, _text(key.rpartition(".")[2], node, run)


def _is_repeated(name: object, part: Any, run: RunFacts) -> bool:
    own = run.settings.get(name) if name in COPIES else None
    return own is not None and part in (own, list(own.values()) if isinstance(own, dict) else None)


def _text(word: str, value: Any, run: RunFacts) -> str:
    if isinstance(value, str):
        name = str(run.setting("name"))
        if word in NAMES and value == name:
            return "<name>"
        if word in FOLDERS and value == f"{run.setting('runs')}/{name}":
            return "<folder>"
        return value or "''"
    return "null" if value is None else str(value).lower() if value in (True, False) else str(value)


def _some(values: Sequence[str]) -> str:
    return ", ".join(values[:3]) + (", …" if len(values) > 3 else "")
