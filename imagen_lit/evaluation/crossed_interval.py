"""The interval of a mean of votes, where each rater gives many and each prompt gets many.

Votes of one rater resemble each other, and so do votes on one prompt. Counted as independent, they
would make an interval far too narrow. The variance of their mean is taken from the sums of
residuals by rater and by prompt, and what both count is taken off once (Cameron, Gelbach and
Miller 2011, eq. 2.11, for a mean). The interval covers other raters and other prompts of the same
kind, and takes its quantile from Student's t with Satterthwaite's (1946) degrees of freedom.
"""

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist

import numpy as np
from scipy.special import stdtrit  # the quantile of Student's t; scipy.stats takes a second

Interval = tuple[float, float]


def variance(
    values: Sequence[float], raters: Sequence[Hashable], prompts: Sequence[Hashable]
) -> tuple[float, float]:
    """Of the mean, with its degrees of freedom; infinite where there is a single vote, rater and
    prompt."""
    residuals = np.asarray(values, dtype=float) - np.mean(values)
    cells = list(zip(raters, prompts, strict=True))
    by_rater, by_prompt, by_cell = (
        _clustered(residuals, groups) for groups in (raters, prompts, cells)
    )
    counts = len(set(raters)), len(set(prompts))
    parts = [(part, n - 1) for part, n in zip((by_rater, by_prompt), counts, strict=True) if n > 1]
    if not parts:
        return math.inf, 1.0
    both = by_rater + by_prompt - by_cell if len(parts) == 2 else parts[0][0]
    total = max(both, by_cell)  # the difference may come out below what single votes alone give
    squares = sum(part**2 / freedom for part, freedom in parts)
    least = min(freedom for _, freedom in parts)
    freedom = sum(part for part, _ in parts) ** 2 / squares if squares > 0 else least
    return total, max(float(least), freedom)


def mean(
    values: Sequence[float],
    raters: Sequence[Hashable],
    prompts: Sequence[Hashable],
    confidence: float = 0.95,
) -> Interval | None:
    """The interval of a mean; None of a single vote, and where all agree: then nothing tells how
    far others would."""
    total, freedom = variance(values, raters, prompts)
    if not math.isfinite(total) or total == 0:
        return None
    reach = stdtrit(freedom, 0.5 + confidence / 2) * math.sqrt(total)
    middle = float(np.mean(values))
    return middle - reach, middle + reach


def share(
    values: Sequence[float],
    raters: Sequence[Hashable],
    prompts: Sequence[Hashable],
    confidence: float = 0.95,
) -> Interval | None:
    """The interval of a mean of values from 0 to 1; None of a single vote.

    Wilson's (1927), with as many votes as would be independent and just as sure (Korn and Graubard
    1998): it stays within [0, 1]. Where all votes agree, nothing tells how far they depend on each
    other; they count as one a rater, or one a prompt, whichever is fewer.
    """
    total, freedom = variance(values, raters, prompts)
    if not math.isfinite(total):
        return None
    middle = float(np.mean(values))
    spread = middle * (1 - middle)
    if total > 0 and spread > 0:
        number, t = spread / total, float(stdtrit(freedom, 0.5 + confidence / 2))
    else:
        clusters = [count for count in (len(set(raters)), len(set(prompts))) if count > 1]
        number, t = float(min(clusters)), NormalDist().inv_cdf(0.5 + confidence / 2)
    shrink = 1 + t * t / number
    centre = (middle + t * t / (2 * number)) / shrink
    reach = t / shrink * math.sqrt(spread / number + (t / (2 * number)) ** 2)
    low = 0.0 if middle == 0 else centre - reach
    high = 1.0 if middle == 1 else centre + reach
    return low, high


def _clustered(residuals: np.ndarray, groups: Sequence[Hashable]) -> float:
    """The variance of the mean, if whole groups were drawn anew."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    sums = np.bincount([numbers[group] for group in groups], residuals)
    correction = len(sums) / max(1, len(sums) - 1)
    return float(correction * np.sum(sums**2) / len(residuals) ** 2)
