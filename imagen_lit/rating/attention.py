"""Which raters are left out: those with fewer than 80 % of their control trials right (Imagen § 3).

A study without controls leaves nobody out, as the paper's on DrawBench did not.
"""

from collections.abc import Sequence

from imagen_lit.rating.ballot import Ballot

LEAST = 0.8


def shares(ballots: Sequence[Ballot]) -> dict[int, float]:
    """The share of controls that each rater has right, of those who met one."""
    controls: dict[int, list[bool]] = {}
    for each in ballots:
        if each.is_control:
            controls.setdefault(each.rater, []).append(each.value == each.right)
    return {rater: sum(right) / len(right) for rater, right in controls.items()}


def inattentive(ballots: Sequence[Ballot]) -> set[int]:
    """The raters to leave out."""
    return {rater for rater, share in shares(ballots).items() if share < LEAST}
