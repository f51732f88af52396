"""The mean score of each system where raters judge a set by itself, and differences of systems.

A difference is taken within a rater and a prompt, so that strict raters and hard prompts drop out
of it. Where raters also say how hard the prompts are, a second mean weights each prompt by that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from imagen_lit.evaluation import crossed_interval
from imagen_lit.rating.ballot import Ballot
from imagen_lit.rating.trial import ALL

DIFFICULTY = "difficulty"


@dataclass(frozen=True)
class MeanScore:
    """`by_difficulty` is the mean weighted by it, where it was asked; `silent` votes say that the
    question does not apply, and are in no mean."""

    system: str
    question: str
    category: str
    votes: int
    silent: int
    value: float
    interval: crossed_interval.Interval | None
    by_difficulty: float | None


@dataclass(frozen=True)
class ScoreDifference:
    """The first system's score minus the second's, by the same raters on the same prompts."""

    systems: tuple[str, str]
    question: str
    category: str
    votes: int
    value: float
    interval: crossed_interval.Interval | None

    @property
    def winner(self) -> str | None:
        """The system with the higher score, where the interval leaves no doubt."""
        if self.interval is None:
            return None
        low, high = self.interval
        return self.systems[0] if low > 0 else self.systems[1] if high < 0 else None


def difficulties(ballots: Sequence[Ballot]) -> dict[str, float]:
    """How hard each prompt is, in the mean of its raters."""
    values: dict[str, list[float]] = {}
    for each in ballots:
        if each.question == DIFFICULTY and each.subject == "caption" and each.value is not None:
            values.setdefault(each.prompt, []).append(each.value)
    return {prompt: sum(points) / len(points) for prompt, points in values.items()}


def mean_scores(ballots: Sequence[Ballot]) -> list[MeanScore]:
    """One for each question, category and system."""
    weights = difficulties(ballots)
    groups: dict[tuple[str, str, str], list[Ballot]] = {}
    for each in _single(ballots):
        for category in each.categories:
            groups.setdefault((each.question, category, each.systems[0]), []).append(each)
    return [
        _mean_score(*key, group, weights)
        for key, group in sorted(groups.items(), key=_order)
        if any(each.value is not None for each in group)
    ]


def differences(ballots: Sequence[Ballot]) -> list[ScoreDifference]:
    """One for each pair of systems, question and category that the same raters judged."""
    scores: dict[tuple[str, str], dict[str, dict[tuple[int, str], float]]] = {}
    for each in _single(ballots):
        for category in each.categories if each.value is not None else ():
            by_system = scores.setdefault((each.question, category), {})
            by_system.setdefault(each.systems[0], {})[each.rater, each.prompt] = each.value or 0.0
    return [
        difference
        for (question, category), by_system in sorted(scores.items(), key=_by_question)
        for pair in combinations(sorted(by_system), 2)
        if (difference := _difference(pair, question, category, by_system))
    ]


def _by_question(item: tuple[tuple[str, str], object]) -> tuple[str, bool, str]:
    (question, category), _ = item
    return question, category != ALL, category


def _order(item: tuple[tuple[str, str, str], object]) -> tuple[str, bool, str, str]:
    """All prompts first, then each category, with the systems side by side."""
    (question, category, system), _ = item
    return question, category != ALL, category, system


def _single(ballots: Sequence[Ballot]) -> Iterator[Ballot]:
    return (each for each in ballots if each.subject == "set" and not each.is_control)


def _mean_score(
    question: str, category: str, system: str, group: Sequence[Ballot], weights: dict[str, float]
) -> MeanScore:
    clear = [(each, each.value) for each in group if each.value is not None]
    values = [value for _, value in clear]
    weight = [weights.get(each.prompt, 0.0) for each, _ in clear]
    total = sum(w * value for w, value in zip(weight, values, strict=True))
    return MeanScore(
        system,
        question,
        category,
        len(clear),
        len(group) - len(clear),
        sum(values) / len(values),
        _interval(clear),
        total / sum(weight) if sum(weight) else None,
    )


def _interval(clear: Sequence[tuple[Ballot, float]]) -> crossed_interval.Interval | None:
    """That of a share of the scale, so that it stays on it."""
    low, high = clear[0][0].ends
    shares = [(value - low) / (high - low) for _, value in clear]
    raters, prompts = [each.rater for each, _ in clear], [each.prompt for each, _ in clear]
    interval = crossed_interval.share(shares, raters, prompts)
    return interval and (low + (high - low) * interval[0], low + (high - low) * interval[1])


def _difference(
    pair: tuple[str, str],
    question: str,
    category: str,
    scores: dict[str, dict[tuple[int, str], float]],
) -> ScoreDifference | None:
    first, second = (scores[system] for system in pair)
    both = [key for key in first if key in second]
    if not both:
        return None
    values = [first[key] - second[key] for key in both]
    raters, prompts = [rater for rater, _ in both], [prompt for _, prompt in both]
    interval = crossed_interval.mean(values, raters, prompts)
    return ScoreDifference(pair, question, category, len(both), sum(values) / len(values), interval)
