"""Which of two systems raters prefer: the shares of their answers, and who may be called a winner.

The preference counts an indifferent answer as half a vote for each, so that 50 % means no
preference. Its interval is clustered by rater and by prompt (evaluation/crossed_interval.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from imagen_lit.evaluation import crossed_interval
from imagen_lit.rating.ballot import Ballot
from imagen_lit.rating.trial import ALL

EVEN = 0.5


@dataclass(frozen=True)
class Preference:
    """Of all `votes` on this question: the shares for the first system, for neither and for the
    second, and the first's preference with its interval."""

    systems: tuple[str, str]
    question: str
    category: str
    votes: int
    raters: int
    prompts: int
    first: float
    indifferent: float
    second: float
    value: float
    interval: crossed_interval.Interval | None

    @property
    def winner(self) -> str | None:
        """The system that is preferred, where the interval leaves no doubt."""
        if self.interval is None:
            return None
        low, high = self.interval
        return self.systems[0] if low > EVEN else self.systems[1] if high < EVEN else None


def preferences(ballots: Sequence[Ballot]) -> list[Preference]:
    """One for each pair, question and category: all prompts first, then each category."""
    groups: dict[tuple[tuple[str, ...], str, str], list[Ballot]] = {}
    for each in ballots:
        if each.subject == "pair" and not each.is_control:
            for category in each.categories:
                groups.setdefault((each.systems, each.question, category), []).append(each)
    order = sorted(groups, key=lambda key: (key[0], key[1], key[2] != ALL, key[2]))
    return [_preference(*key, groups[key]) for key in order]


def _preference(
    systems: tuple[str, ...], question: str, category: str, group: Sequence[Ballot]
) -> Preference:
    values = [each.value for each in group if each.value is not None]
    raters, prompts = [each.rater for each in group], [each.prompt for each in group]
    return Preference(
        (systems[0], systems[1]),
        question,
        category,
        len(values),
        len(set(raters)),
        len(set(prompts)),
        values.count(1.0) / len(values),
        values.count(EVEN) / len(values),
        values.count(0.0) / len(values),
        sum(values) / len(values),
        crossed_interval.share(values, raters, prompts),
    )
