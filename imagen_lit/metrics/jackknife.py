"""The delete-a-group jackknife: an interval for a statistic of a whole sample, from its values
without each of some blocks of it (Shao & Wu 1989).

For what counts neighbours, such as recall: drawing images again would put copies beside each other,
and every neighbour would be near.
"""

import math

import numpy as np
from scipy import stats


def blocks(groups: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """The block of each row: `count` of them, or one for each group if there are fewer groups;
    whole groups, in seeded order."""
    names, rows = np.unique(groups, return_inverse=True)
    places = np.random.default_rng(seed).permutation(len(names))
    return places[rows] % count


def interval(value: float, without: np.ndarray) -> tuple[float, float] | None:
    """The 95 % interval around `value`, from its values without each block; None from one."""
    count = len(without)
    if count < 2:
        return None
    error = math.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    reach = float(stats.t.ppf(0.975, count - 1)) * error
    return value - reach, value + reach
