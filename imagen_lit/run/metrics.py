"""metrics.jsonl: the numbers of a run, one JSON object per line, with `images` as the clock.

It is the source of truth; dashboards copy it. METRICS is a contract: every name that a row may
hold, but for `score/<name>` of a metric (conf/metrics/), as many as a user chooses. A score is
[value, low, high], or the value alone where no interval is known; `preview` names a sheet of images
in the run folder; `protocols` has the hash of what each score of the row means, without which no
two are compared; `skipped_keys` lists the keys of images whose update was skipped.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from imagen_lit.basics.atomic import write_text
from imagen_lit.stage.time_bins import TIME_BINS

FILE = "metrics.jsonl"

MOST_IMAGES = 2**63  # more is no count

SECONDS, FLOPS = "clock/seconds", "clock/flops"  # of the training so far, beside `images`

CATEGORIES = ("all", "one", "two", "count", "word")
METRICS: tuple[str, ...] = ("train/loss", "train/grad_norm", "train/skipped_updates")
METRICS += ("skipped_keys", "preview", "protocols", SECONDS, FLOPS)
METRICS += ("val/loss", *(f"val/loss_t{time}" for time in range(TIME_BINS)))
METRICS += tuple(f"score/alignment_{category}" for category in CATEGORIES)
METRICS += (  # imagen_lit/callbacks/health.py
    "health/text_gap",
    "health/shuffled_gap",
    "health/ema_lag",
    "health/lowres_error",
    "health/channel_drift",
)
METRICS += (  # imagen_lit/callbacks/speed.py
    "speed/images_per_second",
    "speed/data_wait",
    "speed/share_of_peak",
    "speed/memory_gib",
    "speed/hours_left",
    "speed/preview_share",
)


def is_count(value: Any) -> bool:
    """Whether it says how many images were seen."""
    return type(value) in (int, float) and 0 <= value < MOST_IMAGES


def read(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run in the order of images."""
    return sorted(_rows(Path(folder) / FILE), key=lambda row: row["images"])


def rewind(folder: Path, images: int, validation_pending: bool = False) -> None:
    """Remove the rows after the checkpoint that a run resumes from: they will be written again. So
    will the validation row at the checkpoint itself, if the checkpoint says that it is pending."""
    from lightning.pytorch.utilities import rank_zero_only  # reading needs no Lightning

    file = Path(folder) / FILE
    if rank_zero_only.rank or not file.is_file():  # type: ignore[attr-defined]
        return
    first_validation = images if validation_pending else images + 1  # the first one to be repeated
    rows = [row for row in _rows(file) if row["images"] <= images]
    rows = [row for row in rows if row["images"] < first_validation or "val/loss" not in row]
    write_text(file, "".join(json.dumps(row) + "\n" for row in rows))


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    text = file.read_text(errors="replace") if file.is_file() else ""
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):  # the last line of a run killed while writing
            row = json.loads(line)
            if isinstance(row, dict) and is_count(row.get("images")):
                yield row
