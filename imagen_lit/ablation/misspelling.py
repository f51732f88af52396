"""Names in what was typed that are close to a name of an ablation's file, and are none: without a
look at them, a figure would be planned anew, or drawn of a score that nothing measures.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from imagen_lit.ablation.axis import CLOCKS
from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation import direction


def refuse_names(changes: Mapping[str, Any], node: Mapping[str, Any], where: str) -> None:
    """Raise for an arm, a figure or an axis of a figure that is almost called like one in `node`,
    which is the file's."""
    _refuse("arms", changes, node, where)
    _refuse("figures", changes, node, where)
    for name, figure in _part(changes, "figures").items():
        if isinstance(figure, Mapping):
            own = _part(_part(node, "figures"), name)
            _refuse("points", figure, own, f"{where}: the figure {name}")


def refuse_scores(
    figures: Mapping[str, Any], axes: Iterable[str], scores: Mapping[str, str], where: str
) -> None:
    """Raise for x or y of a figure that is almost called like a score, an axis or a clock."""
    for name, figure in figures.items():
        known = {*axes, *_part(figure, "points"), *CLOCKS, *scores, *scores.values()}
        known |= {*direction.LARGER, *direction.SMALLER}
        for key in ("x", "y"):
            word = str(figure.get(key))
            if word not in known and "/" not in word and (hint := did_you_mean(word, known)):
                raise InputError(
                    f"{where}: the figure {name} has {key}: {word}{hint}. "
                    f"Choose from {', '.join(sorted(known))}, or another score."
                )


def _refuse(kind: str, changes: Mapping[str, Any], node: Mapping[str, Any], where: str) -> None:
    known = _part(node, kind)
    for name in _part(changes, kind):
        if name not in known and (hint := did_you_mean(name, known)):
            raise InputError(
                f"{where} has no {name} among its {kind}{hint}. Choose from {', '.join(known)}."
            )


def _part(node: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = node.get(key)
    return part if isinstance(part, Mapping) else {}
