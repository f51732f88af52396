"""The difference of two systems that drew the same prompts with the same seeds.

What makes a prompt easy or hard is the same for both, so it leaves the difference: pairs show less
than half of the images would have to. Several seeds of a prompt are one cluster (Miller 2024).
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from imagen_lit.basics.errors import InputError
from imagen_lit.basics.short_form import quantity
from imagen_lit.evaluation.bootstrap import (
    CELLS,
    RESAMPLES,
    Interval,
    Numbers,
    finite,
    mean_interval,
)
from imagen_lit.evaluation.difference import Difference
from imagen_lit.evaluation.jackknife import BLOCKS, statistic_interval
from imagen_lit.evaluation.protocol import Protocol, refuse_other

PERMUTATIONS = 9999  # where there are more, so many by chance


@dataclass(frozen=True)
class ImageScores:
    """What one system scored, image by image: `values[prompt, seed]`."""

    system: str
    values: Mapping[tuple[Hashable, int], float]
    protocol: Protocol = field(repr=False)


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
    method = f"paired bootstrap over {quantity(len(numbers), 'prompt')}"
    if alone := len({*first.values} ^ {*second.values}):
        method += f"; {quantity(alone, 'image')} without a partner left out"
    return Difference(
        first.system,
        second.system,
        float(values.mean()),
        mean_interval(values, groups, seed, resamples),
        permutation_p(values, groups, seed),
        len(common),
        method,
        is_higher_better,
    )


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


def statistic_difference_interval(
    first: Callable[[NDArray[np.intp]], float],
    second: Callable[[NDArray[np.intp]], float],
    groups: Sequence[Any] | NDArray[Any],
    seed: int = 0,
    blocks: int = BLOCKS,
) -> Interval | None:
    """The interval of second(indices) − first(indices), each a number of many images such as a
    Fréchet distance, where image i of both systems has the same prompt and seed."""

    def difference(indices: NDArray[np.intp]) -> float:
        return second(indices) - first(indices)

    return statistic_interval(difference, groups, seed, blocks)
