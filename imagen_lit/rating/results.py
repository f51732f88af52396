"""All that a study's votes say, computed from its trials and votes alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from imagen_lit.rating import attention, ballot
from imagen_lit.rating.agreement import Agreement, agreements
from imagen_lit.rating.ballot import Ballot
from imagen_lit.rating.database import Vote
from imagen_lit.rating.mean_score import MeanScore, ScoreDifference, differences, mean_scores
from imagen_lit.rating.preference import Preference, preferences
from imagen_lit.rating.strength import Strength, strengths
from imagen_lit.rating.trial import Trial


@dataclass(frozen=True)
class Results:
    """`every` is all ballots, `valid` those of attentive raters and of no control; `inattentive`
    are the raters left out."""

    every: list[Ballot]
    valid: list[Ballot]
    controls: dict[int, float]
    inattentive: set[int]
    preferences: list[Preference]
    scores: list[MeanScore]
    differences: list[ScoreDifference]
    strengths: list[Strength]
    agreements: list[Agreement]

    @property
    def raters(self) -> int:
        """How many have answered anything that counts."""
        return len({each.rater for each in self.valid})

    @property
    def seconds(self) -> float | None:
        """The median time of an answer."""
        times = [each.seconds for each in self.valid if each.seconds is not None]
        return median(times) if times else None


def compute(trials: Sequence[Trial], votes: Sequence[Vote]) -> Results:
    """Leave out inattentive raters, and count the others."""
    every = ballot.of(trials, votes)
    inattentive = attention.inattentive(every)
    valid = [each for each in every if each.rater not in inattentive and not each.is_control]
    return Results(
        every,
        valid,
        attention.shares(every),
        inattentive,
        preferences(valid),
        mean_scores(valid),
        differences(valid),
        strengths(valid),
        agreements(valid),
    )
