"""The page marks what docs/health.md calls unhealthy."""

import json
import re
from pathlib import Path
from typing import Any

import left_runs
import pytest

from imagen_lit.report import health_table
from imagen_lit.run import run_facts
from imagen_lit.run.health_ranges import HEALTHY, MAX_RISE, MAX_WAIT, bound

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "health.md"


def test_the_document_names_the_ranges_that_are_used() -> None:
    row = re.compile(r"^\| `([\w/]+)`.*\| (at (?:least|most) [^|]+) \|$", flags=re.MULTILINE)
    table = dict(row.findall(DOCUMENT.read_text()))
    expected = {f"health/{name}": bound(low, high) for name, (low, high, _) in HEALTHY.items()}
    expected |= {"speed/data_wait": f"at most {MAX_WAIT}"}
    expected |= {"val/loss_t0": f"at most {MAX_RISE} × its lowest"}
    assert table == expected


def html(tmp_path: Path, *rows: dict[str, Any], after: int = 0) -> str:
    config = left_runs.settings("mine", callbacks={"health": {"after": after}})
    folder = left_runs.leave(tmp_path, "mine", config=config)
    lines = [json.dumps({"images": 64 * number} | row) for number, row in enumerate(rows, 1)]
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    return health_table.html(run_facts.read(folder, "mine"))


@pytest.mark.parametrize(
    ("row", "is_good"),
    [
        ({"health/text_gap": 0.002}, True),
        ({"health/text_gap": 0.0019}, False),
        ({"health/ema_lag": 0.5}, True),
        ({"health/ema_lag": 0.6}, False),
        ({"health/channel_drift": float("nan")}, False),
        ({"train/skipped_updates": 1}, False),
        ({"speed/data_wait": 0.3}, False),
    ],
)
def test_a_signal_outside_its_range_is_marked(
    tmp_path: Path, row: dict[str, float], is_good: bool
) -> None:
    assert ("✓" in html(tmp_path, row)) == is_good != ("✗" in html(tmp_path / "again", row))


def test_a_loss_that_rises_at_one_noise_level_is_marked(tmp_path: Path) -> None:
    falling = {"val/loss_t0": 0.1, "val/loss_t9": 0.4}
    assert "✗" not in html(tmp_path, {"val/loss_t0": 0.2, "val/loss_t9": 0.4}, falling)
    text = html(tmp_path / "again", falling, {"val/loss_t0": 0.1, "val/loss_t9": 0.6})
    text = text.replace("<wbr>", "")
    assert "val/loss_t9 / its lowest" in text and "1.5" in text and "✗" in text


def test_a_young_run_is_not_judged(tmp_path: Path) -> None:
    text = html(tmp_path, {"health/text_gap": 0.0, "train/skipped_updates": 2}, after=30_000)
    assert "judged from 30,000 images on" in text and "too early" in text
    assert text.count("✗") == 1
    assert html(tmp_path / "empty") == ""
