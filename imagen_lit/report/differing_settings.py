"""The settings in which a run differs from the others of its kind, so that a sweep can be read.

What an interpolation copies is listed once, under its shortest key; what follows from the run's
name is no difference. A value that more than half of the runs share is the default, and only the
others are listed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imagen_lit.run.run_facts import RunFacts

OWN = ("name", "runs", "notice", "dry_run")  # say nothing about the training

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
    keys = sorted({k for each in flat for k in each}, key=lambda k: (k.count("."), len(k), k))
    seen: set[tuple[str, ...]] = set()
    for key in keys:
        column = tuple(each.get(key, "–") for each in flat)
        copy = (key.rpartition(".")[2], *column)  # a copy has the same name and the same values
        if len({*column}) > 1 and copy not in seen:
            seen.add(copy)
            yield key, column


def _flat(node: Any, run: RunFacts, key: str = "") -> Iterator[tuple[str, str]]:
    """(key, value as text), into lists of parts as well: trainer.callbacks is a copy."""
    parts: Mapping[Any, Any] = {}
    if isinstance(node, dict):
        parts = node
    elif isinstance(node, list) and any(isinstance(part, dict) for part in node):
        parts = dict(enumerate(node))
    for name, part in parts.items():
        path = f"{key}.{name}".lstrip(".")
        if path not in OWN:
            yield from _flat(part, run, path)
    if not parts:
        yield key, _text(node, run)


def _text(value: Any, run: RunFacts) -> str:
    name = str(run.setting("name"))
    if isinstance(value, str):
        value = "<name>" if value == name else value
        return value.replace(f"{run.setting('runs')}/{name}", "<folder>") or "''"
    return "null" if value is None else str(value).lower() if value in (True, False) else str(value)


def _some(values: Sequence[str]) -> str:
    return ", ".join(values[:3]) + (", …" if len(values) > 3 else "")
