"""How a run differs from the paper's stage that it corresponds to, by its settings alone.

Law: whatever a run's settings hold, each key is in exactly one of three places: equal to what the
paper states, and in no row; or in a row; or no statement about the paper (`flat_settings.MACHINE`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagen_lit.paper import reference, unnamed_choice
from imagen_lit.paper.flat_settings import Class
from imagen_lit.paper.reference import Reference
from imagen_lit.paper.source import Choice, Source

STATED = "otherwise than the paper states"
SILENT = "where the paper is silent or unclear"
IN_CODE = "in the code, without a setting"

NOT_RECORDED = "ours, source not recorded"
OWN = "ours, for this run"  # another value than the paper's stage has in `conf/`
NOTHING = ("none", "false", "[]", "[none, none]")  # nothing is done, and the paper names none
WHOSE = {
    Choice.OURS: "ours",
    Choice.WORK: "taken from elsewhere",
    Choice.PAPER: "the paper's, elsewhere",
}
ABSENT, MISSING = "not set", "???"


@dataclass(frozen=True)
class Deviation:
    """`kind`: STATED, SILENT or IN_CODE. `choice`: whose it is."""

    kind: str
    setting: str
    paper: str
    here: str
    choice: str


def stage_words(settings: Mapping[str, Any]) -> str | None:
    """The stage of the paper that a run corresponds to, in words; None: none."""
    stage = reference.stage_of(settings)
    return None if stage is None else f"{reference.STAGES[stage]} (stage={stage})"


def deviations(settings: Mapping[str, Any]) -> list[Deviation]:
    """Of a run with these settings; empty where it corresponds to no stage of the paper."""
    stage = reference.stage_of(settings)
    if stage is None:
        return []
    paper = reference.of(stage)
    run = reference.run_values(settings, paper)
    rows = [*_of_settings(paper, run), *_in_code(stage, run)]
    return sorted(rows, key=lambda row: (STATED, SILENT, IN_CODE).index(row.kind))


def words(key: str) -> str:
    """`network.head_width` as `network · head width`."""
    return key.replace(".", " · ").replace("_", " ")


def _of_settings(paper: Reference, run: Mapping[str, str]) -> Iterator[Deviation]:
    others = _other_classes(paper.values, run)
    for key, value in paper.values.items():
        here = run.get(key)
        if here is None:
            if value in NOTHING or _is_below(key, others) or not _has_part(key, run):
                continue
            here = ABSENT
        if row := _row(key, paper.sources[key], value, here):
            yield row
    for key, here in run.items():
        if key not in paper.values and here not in NOTHING and not _is_below(key, others):
            yield Deviation(SILENT, words(key), "not recorded", here, _own(key, here, NOT_RECORDED))


def _row(key: str, source: Source, value: str, here: str) -> Deviation | None:
    is_same = here == value
    if is_same and (source.choice is Choice.PAPER or here in NOTHING):
        return None
    if source.choice is Choice.PAPER:
        stated = f"{value} ({', '.join(source.places)})"
        return Deviation(STATED, words(key), stated, here, _own(key, here, OWN))
    if source.choice is Choice.UNKNOWN:
        return Deviation(SILENT, words(key), "not recorded", here, _own(key, here, NOT_RECORDED))
    paper = f"see {', '.join(source.places)}" if source.places else "not stated"
    if is_same or value == MISSING:
        return Deviation(SILENT, words(key), paper, here, _whose(source))
    choice = f"{_own(key, here, OWN)}; at the paper's scale {value}"
    return Deviation(SILENT, words(key), paper, here, choice)


def _own(key: str, here: str, otherwise: str) -> str:
    """Why it has this value, if `conf/` says so somewhere."""
    if here == ABSENT:
        return "the default of its version"
    reason = reference.reasons().get((key, here))
    return otherwise if reason is None else _whose(reason)


def _whose(source: Source) -> str:
    return f"{WHOSE[source.choice]}: {source.reason}"


def _in_code(stage: str, run: Mapping[str, str]) -> Iterator[Deviation]:
    for each in unnamed_choice.of(stage, run):
        choice = f"ours: {each.because}" if each.because else "paper"
        yield Deviation(IN_CODE, each.what, each.paper, each.here, choice)


def _other_classes(paper: Mapping[str, str], run: Mapping[str, str]) -> list[str]:
    """Parts that another class stands for; what only one class has follows from that."""
    parts = {k for each in (paper, run) for k, value in each.items() if isinstance(value, Class)}
    return sorted(key for key in parts if paper.get(key) != run.get(key))


def _is_below(key: str, parts: list[str]) -> bool:
    return any(key.startswith(f"{part}.") for part in parts)


def _has_part(key: str, run: Mapping[str, str]) -> bool:
    """Whether the run's settings hold anything of what holds this key."""
    part = key.rpartition(".")[0]
    return part in run or any(each.startswith(f"{part}.") for each in run)
