"""Every prompt has pictures of its own, and what cannot be drawn is refused before it is begun."""

from pathlib import Path

import pytest
from tiny_run import FINGERPRINT, Encoder, leave_run

from imagen_lit import door, sample
from imagen_lit.cascade import Cascade
from imagen_lit.evaluation.examination import HeldOut

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


def test_pictures_of_different_prompts_have_different_files(tmp_path: Path) -> None:
    files = [sample.file(tmp_path, "base", prompt, 0) for prompt in PROMPTS]
    assert len(set(files)) == len(PROMPTS)
    assert files[0].name == "a-red-circle_seed0.png", "where it can, the name is the prompt"
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.touch()  # every one of these is a name that a disk takes


def cascade(runs: Path, *words: str) -> Cascade:
    return door.build(door.compose("sample", [f"runs={runs}", "cascade=demo", *words]).cascade)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("base={0}/demo/sr", "stage 'base' .* enlarges .* place 1 .* draws from text alone"),
        ("sr={0}/demo/base", "stage 'sr' .* draws from text alone.* place 2 .* enlarges"),
    ],
)
def test_a_stage_in_the_wrong_place_is_refused_in_a_sentence(
    tmp_path: Path, word: str, told: str
) -> None:
    for name in ("base", "sr"):
        leave_run(tmp_path, name)
    step, _, run = word.format(tmp_path).partition("=")
    swapped = cascade(tmp_path, f"cascade.{step}.run={run}")
    with pytest.raises(ValueError, match=f"{told}.*type cascade.{step}.run="):
        list(sample.draw(swapped, Encoder(), [("a red circle", 0)], tmp_path, 1))
    right = Cascade(**{name: cascade(tmp_path).steps[name] for name in ("base", "sr")})
    right.require(FINGERPRINT)


@pytest.mark.parametrize(
    ("word", "told"),
    [("base.recipe.level=0.2", "has no smaller picture"), ("sr.recipe.level=0.8", "up to 0.3")],
)
def test_a_level_that_a_stage_never_learnt_is_refused(tmp_path: Path, word: str, told: str) -> None:
    for name in ("base", "sr"):
        leave_run(tmp_path, name)
    steps = cascade(tmp_path, f"cascade.{word}").steps
    with pytest.raises(ValueError, match=rf"{told}, found level=.*type cascade\..*level="):
        Cascade(base=steps["base"], sr=steps["sr"]).require(FINGERPRINT)


@pytest.mark.parametrize("word", ["batch=0", "batch=many", "images=0", "seed=abc", "seed=-1"])
def test_a_number_that_is_none_is_refused_in_a_sentence(word: str) -> None:
    key, _, value = word.partition("=")
    with pytest.raises(ValueError, match=f"found {key}={value}: expected a whole number.*{key}="):
        sample.main(door.compose("sample", [word]))


def test_an_examination_of_nothing_is_refused_in_a_sentence() -> None:
    for count, seed in ((0, 0), (4, -1)):
        with pytest.raises(ValueError, match=r"type examiner\.count=64 examiner\.seed=0"):
            HeldOut(count, seed)
