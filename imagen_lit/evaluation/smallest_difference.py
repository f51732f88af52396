"""Before a sweep: the smallest difference between two of its arms that the planned runs can show.

A test at 5 %, two-sided, finds a true difference with some chance; the smallest difference is the
one found with 80 %. It depends on the noise of a difference alone: its standard error, and how
well that will be known (degrees of freedom).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import optimize, stats

from imagen_lit.basics.arguments import whole_number
from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation.bootstrap import CONFIDENCE

POWER = 0.8
VARIATION = 0.013  # of a Fréchet distance over training seeds, at every scale (arXiv 2606.20536)


@dataclass(frozen=True)
class Noise:
    """The variance of a difference between two arms, and its degrees of freedom."""

    variance: float
    freedom: float


def over_trainings(seeds: int, variation: float = VARIATION) -> Noise:
    """Each arm is trained with so many seeds; `variation` is the standard deviation of a training's
    score, in the unit of the difference: a coefficient of variation for a share of the score."""
    whole_number("seeds", seeds, 2)
    return Noise(2 * _positive("variation", variation) ** 2 / seeds, 2 * seeds - 2)


def over_prompts(
    prompts: int,
    seeds: int,
    between: float,
    within: float,
    is_paired: bool,
    agreement: float = 0.0,
) -> Noise:
    """Each arm draws so many prompts with so many seeds. `between` and `within` prompts are the
    standard deviations that `variance_components` finds; `agreement` is the correlation of two
    arms over prompts, which pairs remove and which nobody knows before a first comparison."""
    whole_number("prompts", prompts, 2)
    whole_number("seeds", seeds, 1)
    if not 0 <= agreement <= 1:
        raise InputError(f"agreement={agreement} is no correlation. Set it between 0 and 1.")
    shared = agreement if is_paired else 0.0
    of_prompt = 2 * (1 - shared) * between**2 + 2 * within**2 / seeds
    freedom = prompts - 1 if is_paired else 2 * prompts - 2
    return Noise(_positive("the spread over prompts", of_prompt) / prompts, freedom)


def together(noises: Sequence[Noise]) -> Noise:
    """Independent noises, with the degrees of freedom of Satterthwaite (1946)."""
    variance = sum(noise.variance for noise in noises)
    return Noise(variance, variance**2 / sum(n.variance**2 / n.freedom for n in noises))


def half_width(noise: Noise) -> float:
    """Half of the 95 % interval that the difference will have."""
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, noise.freedom)) * math.sqrt(noise.variance)


def smallest_difference(noise: Noise, power: float = POWER, comparisons: int = 1) -> float:
    """The true difference that a test at 5 % finds with this chance; of so many comparisons, with
    the level that the strictest of them has (evaluation/holm.py)."""
    whole_number("comparisons", comparisons, 1)
    if not 1 - CONFIDENCE < power < 1:
        raise InputError(f"power={power} is no chance to find something. Set power=0.8.")
    level = (1 - CONFIDENCE) / comparisons
    edge = float(stats.t.ppf(1 - level / 2, noise.freedom))

    def lack(shift: float) -> float:
        """Of power; the square of a noncentral t is a noncentral F."""
        return float(stats.ncf.sf(edge**2, 1, noise.freedom, shift**2)) - power

    return float(optimize.brentq(lack, 0.01, 4 * edge + 4)) * math.sqrt(noise.variance)


def prompts_sentence(prompts: int) -> str:
    """What arms that are trained once can show over so many prompts, of a share of right images:
    at most, as its noise is largest at one half, and arms that agree have less of it."""
    noise = over_prompts(prompts, 1, 0.0, 0.5, is_paired=True)
    return (
        f"one training seed an arm, over {prompts:,} prompts: the difference of two shares will "
        f"have a 95 % interval of at most ±{half_width(noise):.2f}, and the smallest that is shown "
        f"with 80% chance is at most {smallest_difference(noise):.2f}; how much luck of training "
        "is in it stays unknown"
    )


def sentence(seeds: int, variation: float = VARIATION) -> str:
    """What a sweep over training seeds can show, to be printed before it starts."""
    noise = over_trainings(seeds, variation)
    return (
        f"{seeds} training seeds an arm, which vary by {variation:.1%}: a difference will have a "
        f"95 % interval of ±{half_width(noise):.1%}, and the smallest that is shown with "
        f"{POWER:.0%} chance is {smallest_difference(noise):.1%}"
    )


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise InputError(f"{name}={value} is no spread. Give a number above 0.")
    return value
