"""What an arm of a figure is called: the choices that tell its line from others."""

from collections.abc import Sequence

from imagen_lit.ablation.definition import Definition, Figure
from imagen_lit.ablation.plan import Point

BETWEEN = " · "


def of(definition: Definition, figure: Figure, parameter: str, point: Point) -> str:
    """The arm of a point; `parameter` is the axis along the lines."""
    labels = {**point.arm, **point.at}
    names = axes(definition, figure, parameter)
    return BETWEEN.join(labels[name] for name in names) or definition.name


def axes(definition: Definition, figure: Figure, parameter: str) -> tuple[str, ...]:
    """Those of which an arm is a choice each; the one that names lines comes first."""
    names = [
        each.name
        for each in (*definition.arms, *figure.points)
        if len(each.choices) > 1 and each.name != parameter
    ]
    return tuple(sorted(names, key=lambda name: name != figure.line))


def spoken(arm: str, names: Sequence[str]) -> str:
    """The arm as people read it: beside a number stands what it is."""
    labels = arm.split(BETWEEN)
    if len(labels) != len(names):
        return arm
    pairs = zip(names, labels, strict=True)
    return BETWEEN.join(f"{name} {label}" if is_number(label) else label for name, label in pairs)


def is_number(label: str) -> bool:
    """Whether a label is one."""
    try:
        float(label)
    except ValueError:
        return False
    return True
