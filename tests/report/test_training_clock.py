"""How long a training had worked after so many images, whoever wrote its rows."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from imagen_lit.report import training_clock
from imagen_lit.report.training_clock import at
from imagen_lit.run import metrics


def leave(folder: Path, *rows: dict[str, Any], probe: Any = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / metrics.FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    if probe is not None:
        (folder / training_clock.PROBE).write_text(json.dumps(probe))
    return folder


def rows(clock: Sequence[tuple[int, float, float]]) -> list[dict[str, Any]]:
    return [{"images": n, metrics.SECONDS: s, metrics.FLOPS: f} for n, s, f in clock]


def test_the_clock_of_the_rows_themselves_counts(tmp_path: Path) -> None:
    own = rows([(100, 10.0, 1e9), (200, 40.0, 2e9)])
    own = [row | {"speed/images_per_second": 1e6} for row in own]  # a speed would say another time
    folder = leave(tmp_path, *own, probe={"flops": 5.0})  # and a probe another work
    assert at(folder, 100) == {"seconds": 10.0, "flops": 1e9}
    assert at(folder, 150) == {"seconds": 25.0, "flops": 1.5e9}, "between two rows, in proportion"
    assert at(folder, 50) == {"seconds": 5.0, "flops": 5e8}, "it began at nothing"


def test_nothing_is_claimed_beyond_the_last_row(tmp_path: Path) -> None:
    folder = leave(tmp_path, *rows([(100, 10.0, 1e9)]))
    assert at(folder, 104) == {"seconds": 10.0, "flops": 1e9}, "the last row is a little early"
    assert at(folder, 200) == {}


def test_without_clocks_the_speed_and_a_probe_tell(tmp_path: Path) -> None:
    speeds = [(100, 10.0), (200, 50.0)]
    own = [{"images": n, "speed/images_per_second": v} for n, v in speeds]
    folder = leave(tmp_path, *own, probe={"flops": 7.0})
    assert at(folder, 200) == {"seconds": pytest.approx(100 / 10 + 100 / 50), "flops": 1400.0}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 0, True, "3", None, [1]])
def test_a_damaged_row_has_no_clock(tmp_path: Path, value: Any) -> None:
    damaged = {"images": 150, metrics.SECONDS: value, metrics.FLOPS: value}
    damaged["speed/images_per_second"] = value
    good = rows([(100, 10.0, 1e9), (200, 20.0, 2e9)])
    folder = leave(tmp_path, good[0], damaged, good[1], probe={"flops": value})
    assert at(folder, 150) == {"seconds": 15.0, "flops": 1.5e9}
    assert at(leave(tmp_path / "alone", damaged, probe={"flops": value}), 100) == {}


def test_a_row_that_comes_later_is_seen(tmp_path: Path) -> None:
    folder = leave(tmp_path, *rows([(100, 10.0, 1e9)]))
    assert at(folder, 100)["seconds"] == 10.0
    leave(folder, *rows([(100, 10.0, 1e9), (200, 30.0, 2e9)]))
    os.utime(folder / metrics.FILE, (2e9, 2e9))
    assert at(folder, 200)["seconds"] == 30.0


def test_a_folder_without_rows_has_no_clock(tmp_path: Path) -> None:
    assert at(tmp_path / "none", 10) == {}
    (tmp_path / training_clock.PROBE).write_text("{")
    assert at(tmp_path, 10) == {}
