"""The checkpoints that figures draw with: a training keeps them, and a drawing names them by the
images that they have really seen, which is a whole number of batches.

Ablations share trainings, and whichever comes first is the one that trains: so a training keeps
what any ablation at its scale draws with.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.definition import Definition
from imagen_lit.basics.errors import InputError

KEY = "callbacks.checkpoint.keep_at"
# The value of a key of a command, beside settings.
Setting = Callable[[str, Mapping[str, Any], str], Any]


def settings(
    definition: Definition,
    stage: str,
    training: Mapping[str, Any],
    setting: Setting,
    others: Sequence[Definition] = (),
) -> dict[str, list[int]]:
    """What the training of a stage needs so that it keeps every checkpoint that a figure draws, of
    this ablation or of `others`, beside those that its own settings name."""
    own, theirs = _ages(definition, stage), [_ages(each, stage) for each in others]
    if not own and not any(theirs):
        return {}
    last = _of_training(training, setting, "stage.images")
    if own and (oldest := max(own)) > last:
        raise InputError(
            f"the figure {own[oldest]} draws after {oldest:,} images, and the stage {stage} sees "
            f"{last:,} of them. Set settings.{stage}.stage.images={oldest} or more, or other "
            f"values of its axis, figures.{own[oldest]}.points.<axis>.values=[...]."
        )
    configured = training.get(KEY) or setting("train", _without_place(training), KEY)
    ages = {*own, *map(int, configured), *(age for each in theirs for age in each)}
    return {KEY: sorted(age for age in ages if age <= last)}


def _ages(definition: Definition, stage: str) -> dict[int, str]:
    """After how many images figures draw with a stage, and the last of the figures."""
    ages: dict[int, str] = {}
    for figure in definition.figures:
        for choice in (choice for axis in figure.points for choice in axis.choices):
            if (age := choice.settings.get(_key(stage))) is not None:
                ages[int(age)] = figure.name
    return ages


def of_drawing(
    own: Mapping[str, Any], trained: Mapping[str, Cell], setting: Setting
) -> dict[str, Any]:
    """The settings of a drawing, which name each checkpoint by the images that it has seen; the
    last one of a training is that of a drawing that names none."""
    exact = dict(own)
    for stage, training in trained.items():
        if (age := own.get(_key(stage))) is None:
            continue
        batch = _of_training(training.settings, setting, "data.batch_size")
        if int(age) == _of_training(training.settings, setting, "stage.images"):
            del exact[_key(stage)]
        else:
            exact[_key(stage)] = -(-int(age) // batch) * batch
    return exact


def _key(stage: str) -> str:
    return f"cascade.{stage}.images"


def _of_training(training: Mapping[str, Any], setting: Setting, key: str) -> int:
    if key in training:
        return int(training[key])
    return int(setting("train", _without_place(training), key))


def _without_place(training: Mapping[str, Any]) -> dict[str, Any]:
    """What neither seed, place nor encoder changes is composed once."""
    usual = {k: v for k, v in training.items() if k.partition(".")[0] not in ("seed", "text")}
    return {k: v for k, v in usual.items() if k not in ("name", "runs", KEY)}
