"""Which scores a figure shows: what its words mean at a scale, but for axes and clocks."""

from imagen_lit.ablation.axis import CLOCKS
from imagen_lit.ablation.definition import Definition, Figure

CURVES = ("train/", "val/", "score/", "health/")  # names of metrics.jsonl that a figure may show


def of(definition: Definition, figure: Figure) -> list[str]:
    """Of its drawings, y before x; none of a figure that shows curves of trainings."""
    if figure.y.startswith(CURVES):
        return []
    return [*dict.fromkeys(metric(definition, word) for word in words(definition, figure))]


def words(definition: Definition, figure: Figure) -> list[str]:
    """Those of y and x that are a score, and no axis and no clock."""
    axes = [each.name for each in (*definition.arms, *figure.points)]
    return [word for word in (figure.y, figure.x) if word not in axes and word not in CLOCKS]


def metric(definition: Definition, word: str) -> str:
    """The metric that a figure's word means."""
    return definition.scores.get(word, word)
