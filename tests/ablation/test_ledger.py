"""The ledger reads the state of each cell from files alone, and no bad file stands in its way."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from imagen_lit.ablation import cell_log, ledger, preparation, status_table
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.definition import Definition, Figure
from imagen_lit.ablation.ledger import Entry
from imagen_lit.ablation.plan import Plan, Point
from imagen_lit.run import checkpoint, queue
from imagen_lit.run.attempt_log import FAILED, FINISHED, AttemptLog
from imagen_lit.run.checkpoint_digest import checkpoint_digest

MEASURES = {"metrics": ["contrast"]}


def small_plan(runs: Path) -> Plan:
    """A shared preparation, two trainings, and a drawing of each."""
    cells = [Cell("pretrain_text", {}, str(runs / "encoder"))]
    points = []
    for arm in ("a", "b"):
        training = Cell("train", {"stage.images": 64, "name": arm}, arm, (cells[0].name,))
        settings = {"cascade.base.run": str(runs / arm), **MEASURES}
        cells += [training, Cell("evaluate", settings, f"drawn/{arm}", (arm,))]
        points.append(Point(f"drawn/{arm}", {"arm": arm}, 0, {}))
    figure = Figure("curve", (), (), "x", "y", None)
    about = Definition(
        "mine", "demo", {}, ("base",), {}, {}, {}, {}, None, (0,), (), (figure,), {}, {}
    )
    return Plan(about, {cell.name: cell for cell in cells}, {"curve": tuple(points)})


def train(folder: Path, state: str = "finished", images: int = 64, **facts: Any) -> None:
    """What a training leaves."""
    checkpoint.write({"images_seen": images}, checkpoint.path(folder, images))
    (folder / "status.json").write_text(json.dumps({"state": state, **facts}))
    log = AttemptLog(folder)
    log.begin()
    log.end(state, facts.get("error", ""), images=images)


def draw(
    runs: Path, arm: str, state: str = FINISHED, measures: Mapping[str, Any] = MEASURES
) -> None:
    """What an evaluation leaves."""
    folder = runs / "drawn" / arm
    digest = checkpoint_digest(checkpoint.saved(runs / arm)[-1])
    folder.mkdir(parents=True, exist_ok=True)
    provenance = {"weights": {"base": {"digest": digest}}}
    (folder / "scores.json").write_text(json.dumps({"provenance": provenance}))
    log = AttemptLog(folder)
    log.begin()
    name = preparation.measures(measures)
    log.end(state, "why" if state == FAILED else "", measures=name, weights={"base": digest})


@pytest.fixture
def read(tmp_path: Path) -> Callable[[], dict[str, Entry]]:
    """The ledger of the small plan, whose encoder is there."""
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/config.json").write_text("{}")
    return lambda: ledger.read(small_plan(tmp_path), tmp_path)


def states(entries: Mapping[str, Entry]) -> list[str]:
    return [entry.state for name, entry in entries.items() if "encoder" not in name]


def test_nothing_is_there_and_looking_writes_nothing(
    tmp_path: Path, read: Callable[[], Any]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    entries = read()
    assert states(entries) == ["missing"] * 4 and entries[str(tmp_path / "encoder")].is_done
    assert entries["drawn/a"].why == "waits for a"
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_there_is_done(tmp_path: Path, read: Callable[[], Any]) -> None:
    train(tmp_path / "a")
    draw(tmp_path, "a")
    assert states(read()) == ["done", "done", "missing", "missing"]
    (tmp_path / "a/status.json").unlink()
    for file in checkpoint.saved(tmp_path / "a"):
        file.unlink()
    assert states(read()) == ["missing"] * 4, "a drawing without its training"


@pytest.mark.parametrize(
    ("state", "images", "expected", "why"),
    [
        ("failed", 32, "failed", "broken"),
        ("stopped", 32, "missing", "stopped after 32 of 64 images"),
        ("running", 32, "missing", "killed after 32 of 64 images"),
        ("finished", 32, "missing", "has seen 32 of 64 images"),
        ("finished", 96, "done", ""),
    ],
)
def test_a_training_is_done_when_it_has_seen_its_images(
    tmp_path: Path, read: Callable[[], Any], state: str, images: int, expected: str, why: str
) -> None:
    train(tmp_path / "a", state, images, **({"error": "broken"} if state == "failed" else {}))
    entry = read()["a"]
    assert (entry.state, entry.why) == (expected, why)
    if state == "failed":
        assert read()["drawn/a"].why == "waits for a, which failed"


def test_other_weights_or_other_measures_are_drawn_anew(
    tmp_path: Path, read: Callable[[], Any]
) -> None:
    train(tmp_path / "a")
    draw(tmp_path, "a", measures={"metrics": ["colour"]})
    assert read()["drawn/a"].state == "missing", "measured by something else"
    draw(tmp_path, "a")
    assert read()["drawn/a"].state == "done"
    train(tmp_path / "a", images=128)
    entry = read()["drawn/a"]
    assert (entry.state, entry.why) == ("missing", "its training has other weights now")


def test_a_failed_drawing_says_why_and_costs_what_it_cost(
    tmp_path: Path, read: Callable[[], Any]
) -> None:
    train(tmp_path / "a")
    draw(tmp_path, "a", FAILED)
    draw(tmp_path, "a", FAILED)
    entry = read()["drawn/a"]
    assert (entry.state, entry.why, len(entry.attempts)) == ("failed", "why", 2)
    assert entry.cost.seconds >= 0 and read()["a"].cost.images == 64


def test_other_code_is_said_and_counts_as_done(
    tmp_path: Path, read: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path / "a")
    draw(tmp_path, "a")
    monkeypatch.setattr(ledger, "code_digest", lambda: "another")
    entries = read()
    assert states(entries)[:2] == ["done with other code"] * 2 and entries["a"].is_done
    assert any("done with other code" in line for line in table(tmp_path, entries))


def test_a_failure_that_left_no_folder_is_in_its_log(
    tmp_path: Path, read: Callable[[], Any]
) -> None:
    file = cell_log.path(tmp_path, "a")
    file.parent.mkdir(parents=True)
    file.write_text(f"{cell_log.BEGUN}now\n{cell_log.FAILED}no shards\n")
    assert (read()["a"].state, read()["a"].why) == ("failed", "no shards")
    with file.open("a") as log:
        print(f"{cell_log.BEGUN}again", file=log)
    assert read()["a"].state == "missing", "a later start was killed"


DAMAGE = ["", "[1]", "{", "\x00", '{"state": 7}', "null", '{"provenance": [1]}']


@pytest.mark.parametrize("text", DAMAGE)
@pytest.mark.parametrize("name", ["status.json", "attempts.jsonl", "config.yaml", "scores.json"])
def test_no_bad_file_stands_in_the_way_of_others(
    tmp_path: Path, read: Callable[[], Any], name: str, text: str
) -> None:
    for arm in ("a", "b"):
        train(tmp_path / arm)
        draw(tmp_path, arm)
    for folder in ("a", "drawn/a"):
        (tmp_path / folder / name).write_text(text)
    (tmp_path / "a/checkpoints/000000000064.ckpt").write_text(text)
    entries = read()
    assert states(entries)[2:] == ["done", "done"]
    assert entries["drawn/a"].state in ("failed", "missing")
    assert table(tmp_path, entries)


def test_jobs_in_the_queue_are_queued_or_running(
    tmp_path: Path, read: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ablation").mkdir()
    rows = [{"cell": "a", "job": "7"}, {"cell": "b", "job": "8"}, {"cell": "drawn/a", "job": "6"}]
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    (tmp_path / "ablation/jobs.jsonl").write_text(text + '{"cell": "drawn/b", "jo')
    there = {
        "7": queue.Entry("PENDING", 0, "", "Priority"),
        "8": queue.Entry("RUNNING", 0, "node1", "None"),
    }
    monkeypatch.setattr(queue, "entries", lambda jobs: there if jobs == "7,8,6" else None)
    assert states(read()) == ["queued", "missing", "running", "missing"]
    assert read()["a"].why == "job 7: Priority"


def table(runs: Path, entries: Mapping[str, Entry]) -> list[str]:
    lines = status_table.lines(small_plan(runs), entries)
    assert max(map(len, lines)) <= status_table.WIDTH
    return lines


def test_the_table_has_a_row_for_each_arm_and_every_reason(
    tmp_path: Path, read: Callable[[], Any]
) -> None:
    train(tmp_path / "a")
    draw(tmp_path, "a")
    train(tmp_path / "b", "failed", 32, error="the disk is full. " * 12)
    lines = table(tmp_path, read())
    assert lines[0] == "mine at scale=demo: 5 cells: 3 done, 1 failed, 1 missing"
    rows = {line.split()[0]: line.split() for line in lines}
    assert rows["a"][1:3] == ["1/1", "1/1"] and rows["b"][1:3] == ["0/1", "0/1"]
    assert "failed: b" in lines and sum("the disk is full." in line for line in lines) > 1
