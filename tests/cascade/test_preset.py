"""A preset chooses a recipe for each place of any cascade; what is typed counts for more."""

import pytest
from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import preset
from imagen_lit.cli import config


def test_the_presets_are_the_recipes_of_their_names() -> None:
    for cascade, names in (("demo", ["base", "sr", "sr2"]), ("base", ["base"])):
        drawn = preset.composed("sample", [f"cascade={cascade}", "preset=imagen"]).cascade
        paper = config.compose("sample", ["cascade=imagen"]).cascade
        own = config.compose("sample", [f"cascade={cascade}"]).cascade
        for name in names:
            assert OmegaConf.to_container(drawn[name].recipe) == OmegaConf.to_container(
                paper[name].recipe
            )
            assert drawn[name].guide == own[name].guide
    fast = preset.composed("sample", ["preset=fast"]).cascade
    assert [fast[name].recipe.steps for name in ("base", "sr", "sr2")] == [8, 4, 4]


def test_what_is_typed_beside_a_preset_counts_for_more() -> None:
    words = ["preset=imagen", "cascade.base.recipe.steps=7", "~cascade.sr2"]
    words += ["diffusion/sampler@cascade.sr.recipe.sampler=heun"]
    words += ["cascade.base.recipe.guidance.weight=2"]
    cfg = preset.composed("sample", words)
    assert preset.described(cfg.cascade) == (
        "base: Ancestral, 7 steps, ClassifierFree 2, dynamic; "
        "sr: Heun, 128 steps, ClassifierFree 5, dynamic"
    )
    chosen = preset.composed("sample", ["preset=fast", "stage/recipe@cascade.sr.recipe=sr256"])
    assert [chosen.cascade[n].recipe.steps for n in ("base", "sr", "sr2")] == [8, 128, 4]
    with pytest.raises(InputError, match=r"^preset='slow' is none of fast, imagen\. Set preset="):
        preset.composed("sample", ["preset=slow"])
