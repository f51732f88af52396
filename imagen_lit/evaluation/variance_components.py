"""Spread between groups, kept apart from the spread within them: analysis of variance with random
groups (Searle, Casella and McCulloch 1992, section 3.6), for any numbers of values in the groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation.bootstrap import finite


@dataclass(frozen=True)
class VarianceComponents:
    """Standard deviations; None where the values cannot tell: `between` of a single group, and
    both where no group has two values. `between` is 0 where the groups differ no more than their
    values within."""

    between: float | None
    within: float | None


def variance_components(groups: Sequence[Sequence[float]]) -> VarianceComponents:
    """The components of the values of each group."""
    if len(groups) == 0:
        raise InputError("there are no groups of values. Give at least one.")
    rows = [finite(group) for group in groups]
    sizes = np.array([len(row) for row in rows], dtype=float)
    total, freedom = sizes.sum(), sizes.sum() - len(rows)
    if freedom == 0:
        return VarianceComponents(None, None)
    within = sum(float(((row - row.mean()) ** 2).sum()) for row in rows) / freedom
    if len(rows) < 2:
        return VarianceComponents(None, within**0.5)
    means = np.array([row.mean() for row in rows])
    whole = (sizes * means).sum() / total
    mean_square = float((sizes * (means - whole) ** 2).sum()) / (len(rows) - 1)
    size = (total - (sizes**2).sum() / total) / (len(rows) - 1)
    return VarianceComponents(max(0.0, (mean_square - within) / size) ** 0.5, within**0.5)
