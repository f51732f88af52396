"""Ways to draw that need no settings: a recipe for each place of a cascade, whatever its networks.

`imagen` draws as the paper does, as far as it says; `fast` in the fewest steps that lost nothing on
the demo's base (docs/drawing.md). A setting that is typed beside it counts for more.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from imagen_lit.basics import arguments
from imagen_lit.cascade import excerpt
from imagen_lit.cli import config

# The recipes (conf/stage/recipe) of the first stage, the second, and all later ones.
PRESETS = {
    "fast": ("fast_base", "fast_sr", "fast_sr"),
    "imagen": ("base64", "sr256", "sr1024"),
}


def typed(command: str, cfg: DictConfig) -> DictConfig:
    """The config of a command with the recipes of the preset that was typed, if one was."""
    if not HydraConfig.initialized() or cfg.preset is None:
        return cfg
    return composed(command, HydraConfig.get().overrides.task)


def composed(command: str, words: Sequence[str]) -> DictConfig:
    """The config that these words of a command line ask for, `preset=...` among them."""
    cfg = config.compose(command, words)
    recipes = PRESETS[arguments.choice("preset", cfg.preset, PRESETS)]
    names = excerpt.stages(cfg.cascade)
    chosen = [
        f"stage/recipe@cascade.{name}.recipe={recipes[min(place, 2)]}"
        for place, name in enumerate(names)
        if not any(word.startswith(f"stage/recipe@cascade.{name}.recipe=") for word in words)
    ]
    return config.compose(command, [*chosen, *words])


def described(cascade: DictConfig) -> str:
    """What each stage draws with: `base: DDIM, 8 steps, ClassifierFree 3, static`."""
    return "; ".join(f"{name}: {_recipe(cascade[name].recipe)}" for name in excerpt.stages(cascade))


def _recipe(recipe: Any) -> str:
    parts = [_name(recipe.sampler), f"{recipe.steps} steps"]
    parts += [f"{_name(recipe.guidance)} {recipe.guidance.weight:g}", _name(recipe.threshold)]
    return ", ".join(parts)


def _name(part: Any) -> str:
    return str(part["_target_"]).rpartition(".")[2]
