"""Several tests at once: with twenty at 5 %, one finds something that is not there.

Holm's correction (1979) keeps the chance that any of them does so at 5 %, whatever they have in
common, and finds more than dividing the level by their number (Bonferroni).
"""

from collections.abc import Sequence


def adjusted(p_values: Sequence[float]) -> list[float]:
    """The p-values, in their order, as they count when all of them are looked at."""
    order = sorted(range(len(p_values)), key=lambda number: p_values[number])
    result, least = [1.0] * len(p_values), 0.0
    for place, number in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[number]))
        result[number] = least
    return result
