"""Which scores of its drawings a figure shows: what its words mean at a scale, but for axes, clocks
and the curves of trainings.
"""

from imagen_lit.ablation.axis import CLOCKS
from imagen_lit.ablation.definition import Definition, Figure

CURVES = ("train/", "val/", "score/", "health/")  # names of metrics.jsonl that a figure may show


def of(definition: Definition, figure: Figure) -> list[str]:
    """Of y before x; none of a figure that shows curves of trainings."""
    if figure.y.startswith(CURVES):
        return []
    words = [word for word in (figure.y, figure.x) if is_score(figure, word, definition)]
    return [*dict.fromkeys(metric(definition, word) for word in words)]


def metric(definition: Definition, word: str) -> str:
    """The metric that a figure's word means."""
    return definition.scores.get(word, word)


def is_score(figure: Figure, word: str, definition: Definition) -> bool:
    """Whether the word of a figure is a score, and no axis and no clock."""
    axes = [each.name for each in (*definition.arms, *figure.points)]
    return word not in axes and word not in CLOCKS
