"""A ballot: one vote with all that it is about, so that it can be counted by itself.

Of a pair, `value` is that of the first system in the study's order, whichever side it was on.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from imagen_lit.rating.database import Vote
from imagen_lit.rating.question import Subject
from imagen_lit.rating.trial import ALL, Trial

HEADS = (
    "rater prompt categories question subject left right answer value control is_right seconds time"
)


@dataclass(frozen=True)
class Ballot:
    """`systems` are the pair's, in the study's order, or the one of the set, or none; `sides` are
    the labels from left to right. `ends` are the least and the most that
    the question's answers count; `right` is the value that a control asks for."""

    rater: int
    prompt: str
    categories: tuple[str, ...]
    question: str
    subject: Subject
    systems: tuple[str, ...]
    sides: tuple[str, ...]
    answer: str
    value: float | None
    ends: tuple[float, float]
    right: float | None
    seconds: float | None
    time: str

    @property
    def is_control(self) -> bool:
        """Whether it only tells how attentive the rater is."""
        return self.right is not None


def of(trials: Sequence[Trial], votes: Sequence[Vote]) -> list[Ballot]:
    """The ballots of these votes."""
    return [_ballot(trials[vote.trial], vote) for vote in votes]


def _ballot(trial: Trial, vote: Vote) -> Ballot:
    question = trial.questions[vote.question]
    answer = question.answers[vote.answer]
    value = answer.value
    values = [each.value for each in question.answers if each.value is not None]
    if question.subject == "pair" and vote.places[0] != 0 and value is not None:
        value = 1 - value  # the first system was on the right
    return Ballot(
        vote.rater,
        trial.prompt,
        (ALL, *trial.categories),
        question.name,
        question.subject,
        tuple(trial.sets[place].system for place in sorted(vote.places)),
        tuple(trial.sets[place].label for place in vote.places),
        answer.words,
        value,
        (min(values), max(values)),
        trial.right,
        vote.seconds,
        vote.time,
    )


def table(ballots: Sequence[Ballot]) -> str:
    """Every single one as a row of CSV; raters by number, never by token."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADS.split())
    for each in ballots:
        left, right = (*each.sides, "", "")[:2]
        is_right = each.value == each.right if each.is_control else ""
        writer.writerow(
            (
                *(each.rater + 1, each.prompt, ";".join(each.categories[1:]), each.question),
                *(each.subject, left, right, each.answer, each.value, each.is_control, is_right),
                *(each.seconds, each.time),
            )
        )
    return out.getvalue()
