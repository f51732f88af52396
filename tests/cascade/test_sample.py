"""Every prompt has images of its own, and what cannot be drawn is refused before it is begun."""

from pathlib import Path

import pytest
from tiny_run import FINGERPRINT, Encoder, leave_run

from imagen_lit import sample
from imagen_lit.cascade import image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cli import config
from imagen_lit.data.prompts.shapes import HeldOutPrompts

PROMPTS = [
    "a red circle",
    "a red circle!",
    "A red circle",
    "a-red-circle",
    "красный круг",
    "синий квадрат",
    "",
    "other",
    "a red circle above a blue square " * 4 + "on snow",
    "a red circle above a blue square " * 4 + "on sand",
]


def test_images_of_different_prompts_have_different_files(tmp_path: Path) -> None:
    files = [image_files.path(tmp_path, "base", prompt, 0) for prompt in PROMPTS]
    assert len(set(files)) == len(PROMPTS)
    assert files[0].name == "a-red-circle_seed0.png", "if possible, the name is the prompt"
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.touch()  # each of these is a name that a disk accepts


def cascade(runs: Path, *words: str) -> Cascade:
    return config.build(config.compose("sample", [f"runs={runs}", "cascade=demo", *words]).cascade)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("base={0}/demo/sr", "stage 'base' .* enlarges .* place 1 .* draws from text alone"),
        ("sr={0}/demo/base", "stage 'sr' .* draws from text alone.* place 2 .* enlarges"),
    ],
)
def test_a_stage_in_the_wrong_place_is_refused_in_a_sentence(
    tmp_path: Path, word: str, message: str
) -> None:
    for name in ("base", "sr"):
        leave_run(tmp_path, name)
    stage, _, run = word.format(tmp_path).partition("=")
    swapped = cascade(tmp_path, f"cascade.{stage}.run={run}")
    with pytest.raises(ValueError, match=f"{message}.*Set cascade.{stage}.run="):
        list(image_files.draw(swapped, Encoder(), [("a red circle", 0)], tmp_path, 1))
    right = Cascade(**{name: cascade(tmp_path).stages[name] for name in ("base", "sr")})
    right.check(FINGERPRINT)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("base.recipe.aug_level=0.2", "has no smaller image"),
        ("sr.recipe.aug_level=0.8", "up to 0.3"),
    ],
)
def test_a_level_that_a_stage_was_not_trained_for_is_refused(
    tmp_path: Path, word: str, message: str
) -> None:
    for name in ("base", "sr"):
        leave_run(tmp_path, name)
    stages = cascade(tmp_path, f"cascade.{word}").stages
    key, _, level = word.partition("=")
    expected = rf"cascade\.{key}={level} is too high.*{message}.*Set it to .* or less"
    with pytest.raises(ValueError, match=expected):
        Cascade(base=stages["base"], sr=stages["sr"]).check(FINGERPRINT)


@pytest.mark.parametrize("word", ["batch=0", "batch=many", "images=0", "seed=abc", "seed=-1"])
def test_what_is_not_a_number_is_refused_in_a_sentence(word: str) -> None:
    key, _, value = word.partition("=")
    with pytest.raises(
        ValueError, match=f"{key}=.*{value}.* is not a whole number of . or more.*Set {key}="
    ):
        sample.main(config.compose("sample", [word]))


def test_an_evaluation_of_nothing_is_refused_in_a_sentence() -> None:
    for count, seed in ((0, 0), (4, -1)):
        with pytest.raises(ValueError, match=r"Set prompts\.count=64 prompts\.seed=0"):
            HeldOutPrompts(count, seed)
