"""What a family of comparisons allows to say: two arms are told apart only where the interval of
their difference leaves out zero and chance, over all comparisons together, is a poor explanation.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from imagen_lit.evaluation import holm
from imagen_lit.evaluation.difference import LEVEL, Difference
from imagen_lit.evaluation.training_seeds import Arm, arm_difference


@dataclass(frozen=True)
class Verdict:
    """`chance`: the p-value of the difference after Holm's correction; None where none is known."""

    difference: Difference
    chance: float | None

    @property
    def is_apart(self) -> bool:
        """Whether the two can be told apart."""
        return self.winner is not None

    @property
    def winner(self) -> str | None:
        """The better of the two, or None."""
        is_known = self.chance is not None and self.chance <= LEVEL
        return self.difference.winner if is_known else None


def verdicts(differences: Sequence[Difference]) -> list[Verdict]:
    """A verdict on each, all of them as one family; those without a p-value are no test."""
    tests = [each.p_value for each in differences if each.p_value is not None]
    chances = iter(holm.adjusted(tests))
    return [Verdict(each, None if each.p_value is None else next(chances)) for each in differences]


def pairs(arms: Sequence[Arm], is_higher_better: bool) -> list[Difference]:
    """The difference of every two arms over their trainings."""
    return [
        arm_difference(one, two, is_higher_better) for one, two in itertools.combinations(arms, 2)
    ]
