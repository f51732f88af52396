"""How far raters agree: Krippendorff's alpha, 1 for all alike and 0 for chance (by evalica).

The interval is that of Krippendorff's bootstrap. Answers are taken as ordered for a pair, where
"indifferent" lies between the two, and as numbers on a scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from imagen_lit.rating.ballot import Ballot

RESAMPLES = 1000


@dataclass(frozen=True)
class Agreement:
    """On one question, among the raters who share units: a pair, a set or a caption."""

    question: str
    units: int
    raters: int
    alpha: float
    interval: tuple[float, float]


def agreements(ballots: Sequence[Ballot], seed: int = 0) -> list[Agreement]:
    """One for each question that two raters were both asked about the same."""
    groups: dict[tuple[str, str], list[Ballot]] = {}
    for each in ballots:
        if not each.is_control and each.value is not None:
            groups.setdefault((each.question, each.subject), []).append(each)
    return [
        agreement
        for (question, subject), group in groups.items()
        if (agreement := _agreement(question, subject, group, seed))
    ]


def _agreement(question: str, subject: str, group: Sequence[Ballot], seed: int) -> Agreement | None:
    import evalica  # both only come with the extra `rate`
    import pandas as pd

    rows = [(each.rater, (each.prompt, each.systems), each.value) for each in group]
    frame = pd.DataFrame(rows, columns=["rater", "unit", "value"])
    matrix = frame.pivot(index="rater", columns="unit", values="value")
    units = int((matrix.notna().sum() > 1).sum())
    if units < 2 or frame.value.nunique() < 2:
        return None
    distance: Literal["ordinal", "interval"] = "ordinal" if subject == "pair" else "interval"
    result = evalica.alpha_bootstrap(
        matrix, distance=distance, n_resamples=RESAMPLES, random_state=seed
    )
    return Agreement(question, units, len(matrix), result.alpha, (result.low, result.high))
