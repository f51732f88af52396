"""An evaluation measures the images of each stage, or images of any origin, and loses no score."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_run import Encoder, leave_run

from imagen_lit import evaluate as command
from imagen_lit.basics import pixels
from imagen_lit.basics.errors import InputError, RunError
from imagen_lit.cascade.evaluation import evaluate
from imagen_lit.cli import config

CASCADE = ["~cascade.sr2", "cascade.base.recipe.steps=2", "cascade.sr.recipe.steps=1"]
OTHERS = "metrics=[low_res_consistency,channel_drift]"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    leave_run(runs, "base")
    leave_run(runs, "sr")
    leave_run(runs, "sr2")
    return runs


def run(runs: Path, name: str, *words: str, prompts: int = 6) -> dict[str, Any]:
    words = (*CASCADE, f"runs={runs}", f"name={name}", f"prompts.count={prompts}", *words)
    cfg = config.compose("evaluate", words)
    cascade = config.build(cfg.cascade)
    asked = command.build_prompts(cfg, cascade) if "start" in cfg else config.build(cfg.prompts)
    ruler = command.build_ruler(cfg)
    seen = (print, lambda step: None)
    request = command.request(cfg)
    return evaluate(cascade, Encoder(), asked, Path(cfg.out), 8, request, *seen, ruler=ruler)


def names(scores: dict[str, Any], stage: str) -> set[str]:
    rows = [row["metric"] for row in scores["scores"] if row["stage"] == stage]
    assert len(rows) == len(set(rows))
    return {name.partition("/")[0] for name in rows}


def test_every_stage_is_measured_and_each_number_has_its_protocol(runs: Path) -> None:
    scores = run(runs, "one")
    for stage, size in (("base", "16x16"), ("sr", "64x64")):
        assert names(scores, stage) >= {"exact", "near_black", "luminance_range", "chroma"}
        for row in (row for row in scores["scores"] if row["stage"] == stage):
            assert scores["protocols"][row["protocol"]]["sample"]["size"] == size
    (white,) = (r for r in scores["scores"] if (r["stage"], r["metric"]) == ("sr", "near_white"))
    files = sorted((runs / "one/images").rglob("sr/*.png"))
    luma = [pixels.load_png(file) @ np.array([0.2126, 0.7152, 0.0722]) / 255 for file in files]
    assert white["value"] == pytest.approx(np.mean([(each >= 0.95).mean() for each in luma]))
    assert json.loads((runs / "one/scores.json").read_text())["scores"] == scores["scores"]


def test_other_metrics_add_their_scores_to_those_that_are_there(runs: Path) -> None:
    before = run(runs, "two")
    drawn = {
        f: f.stat().st_mtime_ns for f in (runs / "two").rglob("*.png") if f.name != "sheet.png"
    }
    after = run(runs, "two", OTHERS)
    assert drawn == {file: file.stat().st_mtime_ns for file in drawn}
    assert [row for row in after["scores"] if row in before["scores"]] == before["scores"]
    assert names(after, "sr") - names(before, "sr") >= {"low_res_consistency"}
    assert "low_res_consistency" not in names(after, "base"), "a base enlarges nothing"
    assert before["protocols"].items() <= after["protocols"].items()


def test_images_of_any_origin_are_measured_as_a_cascades_own(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = run(runs, "three")
    files = sorted((runs / "three/images").rglob("sr/*.png"))
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    results = map(json.loads, (runs / "three/results.jsonl").read_text().splitlines())
    prompts = {Path(each["image"]).name: each["prompt"] for each in results}
    for file in files:  # without our metadata, as another program would write them
        Image.fromarray(pixels.load_png(file)).save(foreign / file.name)
    rows = [json.dumps({"file": f.name, "prompt": prompts[f.name]}) for f in files]
    (foreign / "prompts.jsonl").write_text("\n".join(rows))
    words = ["image_set@images=folder", f"images.path={foreign}", f"runs={tmp_path}", "name=theirs"]
    command.main(config.compose("evaluate", words))
    assert "chroma" in capsys.readouterr().out
    theirs = json.loads((tmp_path / "theirs/scores.json").read_text())
    ours = {r["metric"]: r for r in own["scores"] if r["stage"] == "sr"}
    assert {row["metric"] for row in theirs["scores"]} >= {"chroma", "near_white"}
    for row in theirs["scores"]:
        assert row["protocol"] == ours[row["metric"]]["protocol"], "so that they may be compared"
        assert row["value"] == pytest.approx(ours[row["metric"]]["value"])


def test_scores_of_other_images_are_never_mixed(tmp_path: Path) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    words = ["image_set@images=folder", f"images.path={folder}", f"runs={tmp_path}", "name=scores"]
    for level in (0, 1):
        Image.new("RGB", (8, 8), (level, 0, 0)).save(folder / f"{level}.png")
    command.main(config.compose("evaluate", words))
    before = (tmp_path / "scores/scores.json").read_bytes()
    Image.new("RGB", (8, 8), (9, 0, 0)).save(folder / "1.png")
    with pytest.raises(InputError, match=r"other images than .*e \(.*sha256 is '\w{12}…'.*Set n"):
        command.main(config.compose("evaluate", words))
    assert (tmp_path / "scores/scores.json").read_bytes() == before


def test_super_resolution_is_measured_by_itself_on_true_small_images(runs: Path) -> None:
    chosen = "metrics=[exact,low_res_consistency,channel_drift]"
    words = ["~cascade.base", "image_set@start=shapes_held_out", "start.count=4", chosen]
    scores = run(runs, "alone", *words)
    assert {r["stage"] for r in scores["scores"] if r["metric"] == "exact"} == {"sr"}
    assert scores["provenance"]["n"] == 4 and "alignment" not in scores
    (row,) = (r for r in scores["scores"] if r["metric"] == "low_res_consistency")
    assert row["value"] > 5 and row["n"] == 4


def test_true_small_images_lead_through_all_stages_that_enlarge(runs: Path) -> None:
    words = ["~cascade.base", "image_set@start=shapes_held_out", "start.count=2", OTHERS]
    cfg = config.compose("evaluate", [f"runs={runs}", "name=both", *words])
    cfg.cascade.sr.recipe.steps = cfg.cascade.sr2.recipe.steps = 1
    cascade = config.build(cfg.cascade)
    asked, ruler = command.build_prompts(cfg, cascade), command.build_ruler(cfg)
    seen = (print, lambda step: None)
    request = command.request(cfg)
    scores = evaluate(cascade, Encoder(), asked, Path(cfg.out), 8, request, *seen, ruler=ruler)
    assert {row["stage"] for row in scores["scores"]} == {"sr", "sr2"}
    assert (runs / "both/sheet.png").is_file()


def test_a_judge_outside_gives_scores_like_all_others(runs: Path) -> None:
    before = run(runs, "judged")
    judge = runs / "judged/judge/sr"
    asked = [json.loads(line) for line in (judge / "prompts.jsonl").read_text().splitlines()]
    assert len(asked) == 6 and all((judge / row["file"]).is_file() for row in asked)
    (judge / "length").mkdir()
    answers = [json.dumps({"id": row["id"], "score": len(row["prompt"])}) for row in asked]
    (judge / "length/scores.jsonl").write_text("\n".join(answers))
    facts = {"name": "length", "version": "1", "weights": "none"}
    (judge / "length/judge.json").write_text(json.dumps(facts))
    after = run(runs, "judged")
    (row,) = (row for row in after["scores"] if row["metric"] == "length")
    assert row["stage"] == "sr" and row["value"] == np.mean([len(r["prompt"]) for r in asked])
    assert after["protocols"][row["protocol"]]["metric"]["judge"] == facts
    assert [row for row in after["scores"] if "length" not in row["metric"]] == before["scores"]
    (judge / "length/scores.jsonl").write_text("\n".join(answers[1:]))
    with pytest.raises(InputError, match="lacks 1 of 6 scores"):
        run(runs, "judged")
    there = json.loads((runs / "judged/scores.json").read_text())
    assert there["scores"] == after["scores"]


def test_known_scores_are_recomputed_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "0.png")
    words = ["image_set@images=folder", f"images.path={folder}", f"runs={tmp_path}", "verify=true"]
    command.main(config.compose("evaluate", [*words, "name=scores"]))
    assert "FD of a set and itself" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "scores")
    wrong = SimpleNamespace(value=1.0)
    monkeypatch.setattr("imagen_lit.metrics.known_values.kid", lambda *given: wrong)
    with pytest.raises(RunError, match="measures wrongly: KID"):
        command.main(config.compose("evaluate", [*words, "name=scores"]))
    assert not (tmp_path / "scores").exists()
