"""The settings of a run of an earlier version under the keys of this one, so that the same command
still resumes it: a key that it lacks had a fixed meaning then."""

from collections.abc import Mapping
from typing import Any

CONDITION = "stage.condition"
AUGMENTATION = f"{CONDITION}.augmentation"
NOISE = {  # what was no choice where a stage says `max_aug_level` itself
    f"{AUGMENTATION}._target_": "imagen_lit.stage.augmentation.GaussianNoise",
    f"{AUGMENTATION}.schedule.offset": 0.008,
    f"{CONDITION}.kernel": "box",
}
MEANINGS = {  # of a key that a part lacks
    "data": ("data.kernel", "bicubic"),
    CONDITION: (f"{CONDITION}.null_text._target_", "imagen_lit.stage.null_text.MaskedZeros"),
}


def as_now(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flat settings, as `settings_diff.flatten` gives them."""
    now = dict(settings)
    if f"{CONDITION}.max_aug_level" in settings:
        moved = (f"{CONDITION}.schedule.", f"{CONDITION}.max_aug_level")
        now = {
            key.replace(CONDITION, AUGMENTATION) if key.startswith(moved) else key: value
            for key, value in settings.items()
        }
        now = NOISE | now
    for part, (key, value) in MEANINGS.items():
        if f"{part}._target_" in now:
            now.setdefault(key, value)
    return now
