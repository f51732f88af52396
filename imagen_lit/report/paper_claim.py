"""A claim of the paper, from `paper_claims.yaml`: its question, its outcome in words, what it says
about the order of arms, and the numbers that it prints."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("paper_claims.yaml")
KEYS = {"figures", "question", "outcome", "certainty", "orders", "scores", "published", "judged_by"}
CERTAIN = {
    "paper": "read in its text",
    "page": "from its project page",
    "derived": "follows from its text",
}


@dataclass(frozen=True)
class Claim:
    """`orders`: labels of arms, worst first, by the words for `scores`, or by any. `published`:
    rows of metric, name, value and certainty."""

    figures: tuple[str, ...]
    question: str
    outcome: str
    certainty: str
    orders: tuple[tuple[str, ...], ...] = ()
    scores: tuple[str, ...] = ()
    published: tuple[Mapping[str, Any], ...] = ()
    judged_by: str = "scores"

    @property
    def names(self) -> str:
        """Its figures, in words."""
        if len(self.figures) > 3:
            return f"{self.figures[0]} – {self.figures[-1]}"
        return ", ".join(self.figures)

    def sentence(self) -> str:
        """What the paper found, and how sure we are that it says so."""
        kind = "" if self.names.startswith("Table") else "fig. "
        return f"{self.outcome} ({kind}{self.names}; {CERTAIN[self.certainty]})"


@functools.cache
def claims() -> tuple[Claim, ...]:
    """All of them, in the order of the paper's figures."""
    rows = yaml.safe_load(FILE.read_text())
    return tuple(
        Claim(
            tuple(map(str, row["figures"])),
            row["question"],
            row["outcome"],
            row["certainty"],
            tuple(tuple(map(str, order)) for order in row.get("orders", ())),
            tuple(row.get("scores", ())),
            tuple(row.get("published", ())),
            row.get("judged_by", "scores"),
        )
        for row in rows
    )


def of(figures: Sequence[str]) -> list[Claim]:
    """The claims that these figures of the paper make."""
    return [claim for claim in claims() if {*claim.figures} & {*figures}]


def expected_better(claim_list: Sequence[Claim], score: str, one: str, two: str) -> str | None:
    """Which of two arms should be better by a score, in the word for it; None where no claim says
    so. An arm's label may consist of several choices; the claim is about a pair that differs in
    one."""
    for claim in claim_list:
        if claim.scores and score not in claim.scores:
            continue
        for order in claim.orders:
            places = [_place(order, arm) for arm in (one, two)]
            if None not in places and places[0] != places[1] and _others(order, one, two):
                return one if places[0] > places[1] else two  # type: ignore[operator]
    return None


def _place(order: Sequence[str], arm: str) -> int | None:
    return next((n for n, label in enumerate(order) if label in arm.split(" · ")), None)


def _others(order: Sequence[str], one: str, two: str) -> bool:
    """Whether all other choices of the two arms are the same."""
    first, second = ([p for p in arm.split(" · ") if p not in order] for arm in (one, two))
    return first == second
