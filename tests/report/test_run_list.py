"""The list of runs can be read in a terminal and in a log file."""

import json
from pathlib import Path

import left_runs
import pytest

from imagen_lit.report import run_list
from imagen_lit.run import run_search


def lines(root: Path, age: float = 0.0) -> list[str]:
    listing = run_search.search(root)
    return run_list.lines(listing, "runs", max(run.changed for run in listing.runs) + age)


def test_a_run_is_one_line_below_its_group(tmp_path: Path) -> None:
    left_runs.leave(tmp_path, "demo/base", sheets=1)
    assert lines(tmp_path, age=3 * 3600) == [
        "run     state     images        images/s    loss  score             changed",
        "runs/demo",
        "  base  finished  640/640 100%      42.5  0.1216  0.50 (0.30–0.70)      3 h",
    ]


def test_why_a_run_failed_stands_below_it(tmp_path: Path) -> None:
    left_runs.leave(tmp_path, "mine", {"state": "failed", "error": "no shards. " * 20})
    text = lines(tmp_path)
    assert text[2].startswith("  mine  failed")
    assert text[3].startswith("    no shards. no shards.") and len(text) > 5


def test_a_loss_of_the_training_is_marked_as_one(tmp_path: Path) -> None:
    folder = left_runs.leave(tmp_path, "mine")
    (folder / "metrics.jsonl").write_text(json.dumps({"images": 64, "train/loss": 0.5}))
    text = lines(tmp_path)
    assert "0.5000*" in text[2] and text[-1].startswith("* the loss of the training")


def test_an_evaluation_scores_a_stage_that_has_no_previews(tmp_path: Path) -> None:
    left_runs.leave(tmp_path, "demo/sr")
    left_runs.leave_evaluation(tmp_path, "demo/evaluation", {"sr": "runs/demo/sr"})
    assert "0.88 (0.53–0.98)" in lines(tmp_path)[2]


@pytest.mark.parametrize("length", [3, 30, 90])
def test_no_line_is_wider_than_100_and_names_are_whole(tmp_path: Path, length: int) -> None:
    name = "n" * length
    status = {"state": "running", "job": "1234567_89"}
    config = left_runs.settings(f"sweep/{name}")
    config["stage"]["images"] = 2_560_000_000
    folder = left_runs.leave(tmp_path, f"sweep/{name}", status, sheets=1, config=config)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"images": 1_234_567_890, "speed/images_per_second": 1234.5}))
    left_runs.leave(tmp_path, "sweep/short")
    text = lines(tmp_path)
    assert max(map(len, text)) <= 100
    assert any(line == f"  {name}" or line.startswith(f"  {name} ") for line in text)
    assert any("running (job 1234567_89)  1.23G/2.56G 48%" in line for line in text)
