"""Samples of other weights or recipes never meet, and what cannot be drawn is refused before it is
begun."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_run import FINGERPRINT, Encoder, leave_run

from imagen_lit import sample
from imagen_lit.basics import png_metadata
from imagen_lit.cascade import image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cli import config
from imagen_lit.data.prompts.shapes import HeldOutPrompts
from imagen_lit.stage.condition import Condition


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
    swapped = cascade(tmp_path, f"cascade.{stage}.run={run}", "~cascade.sr2")
    with pytest.raises(ValueError, match=f"{message}.*Set cascade.{stage}.run="):
        list(
            image_files.draw(
                swapped, Encoder(), {}, [("a red circle", 0)], tmp_path, DrawingPass(1, 9)
            )
        )
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
    expected = rf"cascade\.{key}={level} is too high.*{message}.*Set it to "
    with pytest.raises(ValueError, match=expected):
        Cascade(base=stages["base"], sr=stages["sr"]).check(FINGERPRINT)


@pytest.mark.parametrize("word", ["batch=0", "batch=many", "images=0", "seed=abc", "seed=-1"])
def test_what_is_not_a_number_is_refused_in_a_sentence(word: str) -> None:
    key, _, value = word.partition("=")
    with pytest.raises(
        ValueError, match=f"{key}=.*{value}.* is not a whole number of . or more.*Set (it|{key}=)"
    ):
        sample.main(config.compose("sample", [word]))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("images=1000000000", r"more than 1,000,000 in all\. Set images=1000000 or less"),
        ("seed=4611686018427387903 images=2", r"the last image is not below 2\^62\. Set"),
    ],
)
def test_more_than_can_be_drawn_is_refused_at_once(typed: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sample.main(config.compose("sample", typed.split()))


def test_an_evaluation_of_nothing_is_refused_in_a_sentence() -> None:
    for name, count, seed in (("count", -3, 0), ("seed", 4, -1)):
        with pytest.raises(ValueError, match=rf"^prompts\.{name}=-. is not a whole number of . or"):
            HeldOutPrompts(count, seed)
    with pytest.raises(ValueError, match=r"prompts\.seed=.* below 2\^62\. Set it lower"):
        HeldOutPrompts(1, 2**63)


@pytest.fixture
def drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """`sample` with tiny stages and an encoder without files; gives the lines that it prints."""
    leave_run(tmp_path, "base")
    leave_run(tmp_path, "sr")
    build = config.build
    monkeypatch.setattr(config, "build", lambda n: Encoder() if "max_length" in n else build(n))
    fast = ["cascade.base.recipe.steps=1", "cascade.sr.recipe.steps=1", "~cascade.sr2"]

    def run(*words: str) -> list[str]:
        sample.main(config.compose("sample", [f"runs={tmp_path}", *fast, *words]))
        return capsys.readouterr().out.splitlines()

    return run


def samples(runs: Path) -> list[Path]:
    return sorted((runs / "demo/sr/samples").iterdir())


def test_samples_lie_in_their_run_and_are_not_drawn_twice(tmp_path: Path, drawn: Any) -> None:
    words = ["prompts=[a red circle, two pink crosses, a red circle]", "images=2"]
    lines = drawn(*words)
    (folder,) = samples(tmp_path)
    assert lines[0] == f"images go to {folder}"
    assert lines[1] == f"a red circle (seed 0): {folder}/sr/a-red-circle_seed0.png"
    assert lines[-1] == f"all side by side, 4: {folder}/sheet.png" and len(lines) == 6
    recorded = json.loads((folder / "provenance.json").read_text())
    assert recorded["cascade"]["base"]["recipe"]["steps"] == 1
    assert set(recorded["weights"]) == {"base", "sr"}
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*seed*.png")}
    assert len(before) == 8
    lines = drawn("prompts=a blue square", "seed=1")
    assert lines[-1].startswith("all side by side, 5:")
    lines = drawn(*words)
    assert lines[1] == f"a red circle (seed 0): already there: {folder}/sr/a-red-circle_seed0.png"
    assert lines[-1].startswith("all side by side, 5:"), "the sheet keeps what was drawn before"
    assert before.items() <= {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.png")}.items()


def test_other_weights_and_recipes_have_folders_of_their_own(tmp_path: Path, drawn: Any) -> None:
    drawn()
    drawn("cascade.sr.recipe.aug_level=0.2")
    leave_run(tmp_path, "base", images=128, seed=1)
    drawn()
    assert len(samples(tmp_path)) == 3
    images = {p.read_bytes() for p in tmp_path.rglob("sr/*.png")}
    assert len(images) == 3, "three different images, none of which is lost"


def test_a_chosen_folder_keeps_what_is_in_it(tmp_path: Path, drawn: Any) -> None:
    out = f"out={tmp_path}/mine"
    drawn(out)
    before = {p: p.read_bytes() for p in (tmp_path / "mine").rglob("*") if p.is_file()}
    with pytest.raises(ValueError, match=r"aug_level is 0\.05 there, 0\.2 here"):
        drawn(
            out,
            "cascade.sr.recipe.aug_level=0.2",
            "prompts=[a blue square, a red circle above a blue square]",
        )
    assert before == {p: p.read_bytes() for p in (tmp_path / "mine").rglob("*") if p.is_file()}
    other = tmp_path / "album"
    other.mkdir()
    (other / "sheet.png").write_bytes(b"somebody's")
    with pytest.raises(ValueError, match=r"album/sheet\.png is no contact sheet.*Rename it"):
        drawn(f"out={other}")
    assert [p.name for p in other.iterdir()] == ["sheet.png"]


def test_prompts_of_any_kind_are_drawn_or_refused_by_their_place(
    tmp_path: Path, drawn: Any
) -> None:
    long = "a red circle " * 800
    lines = drawn(f'prompts=["", "  ", "красный\nкруг", "{long}", "a\x1b[31m red"]')
    assert lines[1].startswith("(without text) (seed 0): ") and len(lines) == 6, "no text, once"
    assert lines[2].startswith("красный круг (seed 0): ")
    assert lines[4].startswith("a\ufffd[31m red (seed 0): "), "no colour of the terminal's"
    facts = [png_metadata.read(p) for p in samples(tmp_path)[0].glob("sr/*.png")]
    assert {f["prompt"] for f in facts} == {"", "красный\nкруг", long, "a\x1b[31m red"}
    for words, place, found in (("[a, 7, b]", 2, "7"), ("[a, b, null]", 3, "None")):
        with pytest.raises(ValueError, match=f"{found} in place {place}, which is not a caption"):
            drawn(f"prompts={words}")
    with pytest.raises(ValueError, match=r"in place 1, whose bytes are not UTF-8\. Type it in"):
        drawn('prompts=["a\udcff\udcfe"]')
    for words in ("prompts=[]", "prompts=5", "prompts=", "prompts=null"):
        with pytest.raises(ValueError, match=r"is not a list of captions\. Set prompts="):
            drawn(words)


def test_a_run_that_is_missing_is_named_with_what_to_set(tmp_path: Path, drawn: Any) -> None:
    with pytest.raises(ValueError, match=r"no run in .*none, .*'sr'.*Train.*cascade\.sr\.run="):
        drawn(f"cascade.sr.run={tmp_path}/none")
    assert not (tmp_path / "demo/sr/samples").exists()


def test_compiled_blocks_draw_the_same_images(tmp_path: Path) -> None:
    for name in ("base", "sr"):
        leave_run(tmp_path, name)
    images = []
    for compiler in (None, "eager"):  # the compiler's graphs, without its own arithmetic
        words = [f"cascade.{stage}.recipe.steps=1" for stage in ("base", "sr")]
        drawing = cascade(tmp_path, "~cascade.sr2", *words)
        drawing.compiler = compiler
        drawing.load_weights()
        condition = Condition(*Encoder().encode(["a red circle"]))
        images.append([x for _, x in drawing.draw(condition, [0])])
    for plain, compiled in zip(*images, strict=True):
        assert torch.allclose(plain, compiled, atol=1e-4)
    drawing = cascade(tmp_path, "~cascade.sr2")
    drawing.compiler = "fast"
    with pytest.raises(ValueError, match=r"compile=fast is not a compiler.*Set compile=inductor"):
        drawing.load_weights()
