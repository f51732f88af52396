"""Runs are found at any depth, and evaluations are shown with the runs that they evaluated."""

import os
from pathlib import Path

import left_runs

from imagen_lit.run import run_search


def names(listing: run_search.Listing) -> list[str]:
    return sorted(run.name for run in listing.runs)


def test_runs_of_any_depth_are_found_by_their_names(tmp_path: Path) -> None:
    for name in ("mine", "mine/second", "sweep/demo/drop-0.1", "text_encoder/t5_xxl"):
        left_runs.leave(tmp_path, name)
    (tmp_path / "mine" / "wandb" / "files").mkdir(parents=True)
    (tmp_path / "mine" / "wandb" / "files" / "config.yaml").touch()
    (tmp_path / "notes").mkdir()
    listing = run_search.search(tmp_path)
    assert names(listing) == ["mine", "mine/second", "sweep/demo/drop-0.1", "text_encoder/t5_xxl"]
    assert list(listing.groups()) and set(listing.groups()) == {
        "",
        "mine",
        "sweep/demo",
        "text_encoder",
    }
    assert names(run_search.search(tmp_path, "sweep/")) == ["sweep/demo/drop-0.1"]


def test_what_was_changed_last_comes_first(tmp_path: Path) -> None:
    for age, name in enumerate(("a/new", "b/middle", "a/old")):
        for file in left_runs.leave(tmp_path, name).iterdir():
            os.utime(file, (1e9 - age, 1e9 - age))
    listing = run_search.search(tmp_path)
    assert [run.name for run in listing.runs] == ["a/new", "b/middle", "a/old"]
    assert list(listing.groups()) == ["a", "b"]


def test_links_are_followed_but_in_no_circle(tmp_path: Path) -> None:
    left_runs.leave(tmp_path / "disk", "big")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "scratch").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "back").symlink_to(tmp_path / "runs")
    assert names(run_search.search(tmp_path / "runs")) == ["scratch/big"]


def test_an_evaluation_belongs_to_the_runs_it_examined(tmp_path: Path) -> None:
    for name in ("base", "demo/base", "demo/sr"):
        left_runs.leave(tmp_path, name)
    stages = {"base": "runs/demo/base", "sr": "/elsewhere/runs/demo/sr"}
    left_runs.leave_evaluation(tmp_path, "demo/evaluation", stages)
    listing = run_search.search(tmp_path)
    assert names(listing) == ["base", "demo/base", "demo/sr"]
    evaluations = {
        run: [(evaluation.name, stage) for evaluation, stage in pairs]
        for run, pairs in listing.by_run.items()
    }
    assert evaluations == {
        "demo/base": [("demo/evaluation", "base")],
        "demo/sr": [("demo/evaluation", "sr")],
    }


def test_scores_that_are_none_become_a_note(tmp_path: Path) -> None:
    left_runs.leave(tmp_path, "mine")
    for number, text in enumerate(("{", "[]", '{"score/alignment": {"base": {"all": {"n": 1}}}}')):
        folder = tmp_path / f"evaluation{number}"
        folder.mkdir()
        (folder / "scores.json").write_text(text)
    listing = run_search.search(tmp_path)
    assert len(listing.notes) == 3 and not listing.evaluations and names(listing) == ["mine"]


def test_sheets_of_samples_belong_to_the_folder_that_holds_them(tmp_path: Path) -> None:
    left_runs.leave(tmp_path, "mine")
    for owner in ("mine", "demo"):
        sheet = tmp_path / owner / "samples" / "w3" / "sheet.png"
        sheet.parent.mkdir(parents=True)
        sheet.touch()
    sheets = run_search.search(tmp_path).sheets
    assert {name: [f.parent.name for f in files] for name, files in sheets.items()} == {
        "mine": ["w3"],
        "demo": ["w3"],
    }
