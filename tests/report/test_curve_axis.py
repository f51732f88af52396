"""A curve by time is the curve by images, moved to when those images had been seen."""

from pathlib import Path

import left_runs
import pytest

from imagen_lit.report import curve_axis, run_curves
from imagen_lit.run import metrics, run_facts
from imagen_lit.run.run_facts import RunFacts


def run(tmp_path: Path, name: str, **clocks: list[tuple[float, float]]) -> RunFacts:
    left_runs.leave(tmp_path, name)
    facts = run_facts.read(tmp_path / name, name)
    names = {"seconds": metrics.SECONDS, "flops": metrics.FLOPS}
    series = {names[clock]: points for clock, points in clocks.items()}
    return RunFacts(**vars(facts) | {"series": {**facts.series, **series}})


def test_points_move_to_when_their_images_had_been_seen(tmp_path: Path) -> None:
    each = run(tmp_path, "a", seconds=[(100, 20.0), (200, 60.0)], flops=[(200, 4e15)])
    points = [(50.0, 9.0), (100.0, 8.0), (150.0, 7.0, 6.0, 8.0), (300.0, 1.0)]
    found = dict(curve_axis.others({"a": (each, points)}))
    assert found["seconds of training"]["a"] == [(10.0, 9.0), (20.0, 8.0), (40.0, 7.0, 6.0, 8.0)]
    assert found["PFLOP of training"]["a"] == pytest.approx(
        [(1.0, 9.0), (2.0, 8.0), (3.0, 7.0, 6.0, 8.0)]
    )


def test_hours_are_the_unit_of_long_trainings(tmp_path: Path) -> None:
    each = run(tmp_path, "a", seconds=[(100, 7200.0)])
    assert dict(curve_axis.others({"a": (each, [(50.0, 9.0)])})) == {
        "hours of training": {"a": [(1.0, 9.0)]}
    }


def test_an_axis_that_one_run_lacks_is_left_out(tmp_path: Path) -> None:
    new, old = run(tmp_path, "new", seconds=[(100, 20.0)]), run(tmp_path, "old")
    lines = {each.name: (each, [(50.0, 9.0)]) for each in (new, old)}
    assert list(curve_axis.others(lines)) == []


def test_the_rows_of_a_run_give_the_axes(tmp_path: Path) -> None:
    folder = left_runs.leave(tmp_path, "mine")
    file = folder / "metrics.jsonl"
    row = '{"images": 640, "train/loss": 0.1, "clock/seconds": 90.5, "clock/flops": 2e13}\n'
    file.write_text(file.read_text() + row)
    html = run_curves.losses({"": run_facts.read(folder, "mine")})
    assert "minutes of training" in html and "TFLOP of training" in html
    left_runs.leave(tmp_path, "old")
    assert "of training" not in run_curves.losses({"": run_facts.read(tmp_path / "old", "old")})


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1"])
def test_a_clock_that_is_no_time_draws_nothing(tmp_path: Path, value: str) -> None:
    folder = left_runs.leave(tmp_path, "mine")
    (folder / "metrics.jsonl").write_text(
        f'{{"images": 640, "train/loss": 0.1, "clock/seconds": {value}}}\n'
    )
    assert "of training" not in run_curves.losses({"": run_facts.read(folder, "mine")})
