"""A part of a cascade: the stages from `start_at` to `stop_after`."""

import copy
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import chosen_folder
from imagen_lit.basics.errors import InputError


def stages(cascade: DictConfig) -> list[str]:
    """The names of all stages, in the order of drawing."""
    return [str(name) for name in cascade if name != "_target_"]


def excerpt(cfg: DictConfig) -> DictConfig:
    """The cascade of a command without the stages before `start_at` and after `stop_after`."""
    names = stages(cfg.cascade)
    if not names:
        chosen: DictConfig = cfg.cascade  # which says so itself
        return chosen
    first, last = _first(cfg), cfg.get("stop_after")
    for key, name in (("start_at", first), ("stop_after", last)):
        if name is not None and name not in names:
            raise InputError(
                f"{key}={name} is no stage of the cascade, which has {', '.join(names)}. "
                "Set one of these."
            )
    start = 0 if first is None else names.index(first)
    stop = len(names) if last is None else names.index(last) + 1
    if start >= stop:
        raise InputError(
            f"stop_after={last} lies before {first}, with which drawing starts. Set stop_after="
            f"{first} or a later stage."
        )
    part = copy.deepcopy(cfg)
    OmegaConf.set_struct(part, False)
    for name in {*names} - {*names[start:stop]}:
        del part.cascade[name]
    chosen = part.cascade
    return chosen


def saved(cfg: DictConfig) -> tuple[Path, str] | None:
    """The folder whose images are enlarged, and which stage has drawn them; None if the cascade
    starts with text, or elsewhere."""
    if cfg.get("start_from") is None:
        return None
    folder, names = chosen_folder.of("start_from", cfg.start_from), stages(cfg.cascade)
    first = _first(cfg)
    if first not in names[1:]:
        raise InputError(
            f"start_from={folder} gives images to enlarge, but {first or names[0]} is not a later "
            f"stage of the cascade ({', '.join(names)}). Set start_at=... to one, or leave "
            "start_from out."
        )
    return folder, names[names.index(first) - 1]


def _first(cfg: DictConfig) -> Any:
    """`start_at`; without it, with saved images, the second stage."""
    names = stages(cfg.cascade)
    if cfg.get("start_at") is None and cfg.get("start_from") is not None and len(names) > 1:
        return names[1]
    return cfg.get("start_at")
