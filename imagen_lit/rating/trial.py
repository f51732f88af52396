"""A trial: what is looked at together, and what is asked about it.

A pair of sets, a single set, or several sets one after the other. Raters differ in which set
comes first (rater_order.py); here they stand in the study's own order.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from imagen_lit.rating.question import Answer, Question

ALL = "all"


@dataclass(frozen=True)
class PictureSet:
    """The images of one system for one prompt, as paths in its folder; `is_spoilt`: shown in coarse
    blocks, for a control that anybody can tell from the real one."""

    system: str
    files: tuple[str, ...]
    is_spoilt: bool = False

    @property
    def label(self) -> str:
        """The system's name, for people."""
        return f"{self.system}, in blocks" if self.is_spoilt else self.system


@dataclass(frozen=True)
class Trial:
    """`right` makes it a control: the value that an attentive rater gives, of a pair to the first
    set. It counts in `categories`, and in all."""

    prompt: str
    categories: tuple[str, ...]
    sets: tuple[PictureSet, ...]
    questions: tuple[Question, ...]
    right: float | None = None

    @property
    def systems(self) -> tuple[str, ...]:
        """Whose sets they are."""
        return tuple(each.system for each in self.sets)


def to_json(trial: Trial) -> dict[str, Any]:
    """Plain lists, texts and numbers."""
    return asdict(trial)


def from_json(row: Mapping[str, Any]) -> Trial:
    """The trial that `to_json` wrote."""
    questions = (
        Question(**{**each, "answers": tuple(Answer(**one) for one in each["answers"])})
        for each in row["questions"]
    )
    sets = (PictureSet(**{**each, "files": tuple(each["files"])}) for each in row["sets"])
    lists = {"sets": tuple(sets), "questions": tuple(questions)}
    return Trial(**{**row, **lists, "categories": tuple(row["categories"])})
