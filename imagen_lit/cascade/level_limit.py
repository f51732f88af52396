"""The highest augmentation level that a stage knows: it draws from none that its training did not
show it."""

from imagen_lit.basics.errors import InputError
from imagen_lit.stage.condition import TextAndLowRes, TextOnly


def refuse_higher(
    name: str, run: str, aug_level: float, condition: TextOnly | TextAndLowRes
) -> None:
    """Raise if a stage is to draw from a higher level."""
    is_sr = isinstance(condition, TextAndLowRes)
    augmentation = condition.augmentation if isinstance(condition, TextAndLowRes) else None
    highest = augmentation.max_aug_level if augmentation else 0.0
    if aug_level <= highest:
        return
    reason = f"was trained up to {highest:g}" if highest else "was trained without noise"
    reason = reason if is_sr else "has no smaller image"
    raise InputError(
        f"cascade.{name}.recipe.aug_level={aug_level:g} is too high: stage {name!r} ({run}) "
        f"{reason}. Set it to {highest:g}{' or less' if highest else ''}."
    )
