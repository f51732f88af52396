"""The settings of a run of an earlier version under the keys of this one, so that the same command
still resumes it: a key that it lacks had a fixed meaning then."""

from collections.abc import Mapping
from typing import Any

CONDITION = "stage.condition"
MOVED = {f"{CONDITION}.{key}": f"{CONDITION}.augmentation.{key}" for key in ("max_aug_level",)}
MOVED |= {f"{CONDITION}.schedule._target_": f"{CONDITION}.augmentation.schedule._target_"}
NOISE = "imagen_lit.stage.augmentation.GaussianNoise"
ZEROS = "imagen_lit.stage.null_text.MaskedZeros"


def as_now(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flat settings, as `settings_diff.flatten` gives them."""
    now = {MOVED.get(key, key): value for key, value in settings.items()}
    if f"{CONDITION}.max_aug_level" in settings:
        now |= {f"{CONDITION}.augmentation._target_": NOISE, f"{CONDITION}.kernel": "box"}
    meanings = {"data._target_": ("data.kernel", "bicubic")}
    meanings |= {f"{CONDITION}._target_": (f"{CONDITION}.null_text._target_", ZEROS)}
    for part, (key, value) in meanings.items():
        if part in now:
            now.setdefault(key, value)
    return now
