"""An examination is about the weights and the settings that it names, and destroys no other."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_run import Encoder, leave_run

from imagen_lit import door
from imagen_lit.evaluate import asked, evaluate, main


def examine(runs: Path, *words: str) -> dict[str, Any]:
    usual = ["cascade=demo_base", "cascade.base.recipe.steps=1", "examiner.count=4"]
    cfg = door.compose("evaluate", [*usual, f"runs={runs}", *words])
    cascade, examiner = door.build(cfg.cascade), door.build(cfg.examiner)
    return evaluate(cascade, Encoder(), examiner, Path(cfg.out), 4, asked(cfg), print)


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_weights_trained_otherwise_to_the_same_count_are_examined_anew(tmp_path: Path) -> None:
    leave_run(tmp_path, "base", images=64, seed=0)
    examine(tmp_path)
    before = contents(tmp_path / "demo/evaluation/pictures")
    leave_run(tmp_path, "base", images=64, seed=1)
    examine(tmp_path)
    after = contents(tmp_path / "demo/evaluation/pictures")
    assert len(before) == 4 and before.keys() == after.keys()
    assert all(before[file] != after[file] for file in before)


def test_a_run_that_has_learnt_on_is_examined_again_under_the_same_name(tmp_path: Path) -> None:
    for images in (64, 128):
        leave_run(tmp_path, "base", images, seed=images)
        said = examine(tmp_path)["protocol"]["weights"]["base"]
        assert said["images_seen"] == images


def test_the_same_weights_are_not_drawn_twice(tmp_path: Path) -> None:
    leave_run(tmp_path, "base")
    examine(tmp_path)
    drawn = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.png")}
    examine(tmp_path)
    assert drawn and drawn == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.png")}


@pytest.mark.parametrize("word", ["cascade.base.recipe.steps=2", "examiner.count=8"])
def test_other_settings_under_the_same_name_are_refused_and_destroy_nothing(
    tmp_path: Path, word: str
) -> None:
    leave_run(tmp_path, "base")
    examine(tmp_path)
    before = contents(tmp_path)
    key, _, value = word.partition("=")
    with pytest.raises(ValueError, match=rf"{key} is \d there, {value} now.*name=") as refusal:
        examine(tmp_path, word)
    assert str(refusal.value).count(" there, ") == 1
    assert contents(tmp_path) == before
    examine(tmp_path, word, "name=demo/other")
    marks = (tmp_path / "demo/other/marks.jsonl").read_text().splitlines()
    assert {json.loads(line)["step"] for line in marks} == {"base"}
    assert before.items() <= contents(tmp_path).items()


def test_a_batch_of_nothing_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"found batch=0: .*type batch=1"):
        main(door.compose("evaluate", [f"runs={tmp_path}", "batch=0"]))
    assert not any(tmp_path.iterdir())
