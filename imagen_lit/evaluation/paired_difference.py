"""The difference of two systems that drew the same prompts with the same seeds.

What makes a prompt easy or hard is the same for both, so it leaves the difference: pairs show less
than half of the images would have to. Several seeds of a prompt are one cluster (Miller 2024).
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from imagen_lit.basics.errors import InputError
from imagen_lit.basics.short_form import quantity
from imagen_lit.evaluation import bootstrap
from imagen_lit.evaluation.bootstrap import CELLS, RESAMPLES, Numbers, finite, mean_interval
from imagen_lit.evaluation.difference import Difference
from imagen_lit.evaluation.distance_interval import Influences, difference_interval
from imagen_lit.evaluation.protocol import Protocol, refuse_other

PERMUTATIONS = 9999  # where there are more, so many by chance


@dataclass(frozen=True)
class ImageScores:
    """What one system scored, image by image: `values[prompt, seed]`; of a distance, whose values
    are influences, also what pairs of prompts add (distance_interval.Influences)."""

    system: str
    values: Mapping[tuple[Hashable, int], float]
    protocol: Protocol = field(repr=False)
    pairs: Numbers | None = field(default=None, repr=False)


def paired_difference(
    first: ImageScores,
    second: ImageScores,
    is_higher_better: bool,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Difference:
    """`second` minus `first` over the prompts and seeds that both have, and the winner if any."""
    refuse_other(first.protocol, second.protocol, "a difference")
    common = [pair for pair in first.values if pair in second.values]
    if not common:
        raise InputError(
            f"{first.system} and {second.system} have no prompt with the same seed in common. "
            "Give scores of the same prompts and seeds."
        )
    values = finite([second.values[pair] - first.values[pair] for pair in common])
    numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(p for p, _ in common))}
    groups = np.array([numbers[prompt] for prompt, _ in common])
    prompts = quantity(len(numbers), "prompt")
    sums = _pairs(first, second)
    if sums is None:
        interval = mean_interval(values, groups, seed, resamples)
        method = f"paired {bootstrap.method(len(numbers))} over {prompts}"
    else:
        own = Influences(values - values.mean(), sums)
        interval = difference_interval(float(values.mean()), own, groups)
        method = f"paired influence functions over {prompts}"
    if alone := len({*first.values} ^ {*second.values}):
        method += f"; {quantity(alone, 'image')} without a partner left out"
    return Difference(
        first.system,
        second.system,
        float(values.mean()),
        interval,
        permutation_p(values, groups, seed),
        len(common),
        method,
        is_higher_better,
    )


def _pairs(first: ImageScores, second: ImageScores) -> Numbers | None:
    """What pairs of prompts add to the difference of two distances of the same prompts and seeds,
    of which both drew the same pairs; None for other scores, or other images."""
    if first.pairs is None or second.pairs is None or first.values.keys() != second.values.keys():
        return None
    return second.pairs - first.pairs


def permutation_p(values: Numbers, groups: NDArray[np.intp], seed: int = 0) -> float | None:
    """How often exchanging the systems, prompt by prompt, makes a mean as far from zero as the one
    found; exact for up to 13 prompts. None for a single prompt."""
    sums = np.bincount(groups, values)
    if len(sums) < 2:
        return None
    test = stats.permutation_test(
        (sums, np.zeros_like(sums)),
        lambda first, second, axis: (first - second).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=PERMUTATIONS,
        batch=max(1, CELLS // len(sums)),
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)
