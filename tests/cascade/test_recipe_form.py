"""Settings of a form and recipes are two forms of one thing, and no class comes from a form."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import recipe_form
from imagen_lit.cli import config

STAGES = [("demo", name) for name in ("base", "sr", "sr2")]
STAGES += [("imagen", name) for name in ("base", "sr", "sr2")]


def recipe(cascade: str, stage: str, *words: str) -> dict[str, Any]:
    cfg = config.compose("sample", [f"cascade={cascade}", *words]).cascade
    node: Any = OmegaConf.to_container(cfg, resolve=True)
    return node[stage]["recipe"]


@pytest.mark.parametrize(("cascade", "stage"), STAGES)
def test_the_recipe_of_a_recipes_settings_is_that_recipe(cascade: str, stage: str) -> None:
    node = recipe(cascade, stage)
    assert recipe_form.recipe(recipe_form.settings(node)) == node


@pytest.mark.parametrize("part", recipe_form.PARTS)
def test_every_option_goes_there_and_back_and_can_be_typed(part: str) -> None:
    usual = recipe_form.settings(recipe("demo", "base"))
    for name, own in recipe_form.choices()[part].items():
        rest = {k: v for k, v in usual.items() if k.partition(".")[0] != part}
        settings = {**rest, part: name, **{f"{part}.{key}": value for key, value in own.items()}}
        node = recipe_form.recipe(settings)
        assert recipe_form.settings(node) == settings
        assert config.build(node) is not None
        words = recipe_form.words("base", settings, usual)
        assert recipe("demo", "base", *words) == node, "what is typed draws the same"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sampler": "euler"}, "sampler='euler' is none of .* Choose one"),
        ({"sampler": ["ddim"]}, "is none of"),
        ({"steps": {"_target_": "os.system"}}, "steps=.* is no number"),
        ({"precision": "${oc.env:HOME}"}, "is no number"),
        ({"guidance.start": 0.2}, "guidance.start is no setting of this part"),
        ({"guidance._target_": "os.system"}, "no setting of this part"),
        ({"steps": 0}, "steps=0 is not a whole number"),
        ({"steps": "many"}, "steps is 'many'"),
        ({"colour": 3}, "colour is not a parameter"),
        ({"_target_": "os.system"}, "may not build"),
    ],
)
def test_what_is_no_recipe_is_refused_in_a_sentence(settings: dict, words: str) -> None:
    usual = recipe_form.settings(recipe("demo", "base"))
    with pytest.raises(InputError, match=words):
        recipe_form.build(recipe_form.recipe(usual | settings))


@pytest.mark.parametrize(
    "change", [{"_target_": "os.system"}, {"sampler": {"_target_": "os.system"}}, {"steps": [1]}]
)
def test_a_recipe_of_other_classes_has_no_settings(change: dict) -> None:
    with pytest.raises(ValueError, match="Draw it with the version"):
        recipe_form.settings(recipe("demo", "base") | change)
