"""What W&B stores while it is offline, read back by W&B's own program."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class OfflineRun:
    """The one file of a run folder: `run`, its record; `rows`, its history; `exits`."""

    def __init__(self, folder: Path) -> None:
        (file,) = (folder / "wandb").glob("offline-run-*/*.wandb")
        done = subprocess.run(
            [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--json", file],
            env={**os.environ, "WANDB_MODE": "offline"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.file = file
        (self.run,) = (record["run"] for record in records if record["type"] == "run")
        self.rows = [r["history"]["item"] for r in records if r["type"] == "history"]
        self.exits = [r["exit"] for r in records if r["type"] == "exit"]

    @property
    def steps(self) -> list[int]:
        return [row["_step"] for row in self.rows]

    @property
    def logged_rows(self) -> list[dict[str, Any]]:
        """The rows without the keys that W&B adds."""
        return [{k: v for k, v in row.items() if not k.startswith("_")} for row in self.rows]

    @property
    def rows_without_images(self) -> list[dict[str, Any]]:
        """These without their images, whose parts the program names preview.<part>."""
        return [
            {k: v for k, v in row.items() if not k.startswith("preview.")}
            for row in self.logged_rows
        ]


def jsonl_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def flat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of metrics.jsonl as W&B has them, less the images: three curves for an interval."""
    return [
        {
            name: number
            for key, value in row.items()
            if key != "preview"
            for name, number in _numbers(key, value)
        }
        for row in rows
    ]


def _numbers(key: str, value: Any) -> list[tuple[str, Any]]:
    if key == "protocols":
        return [(f"{score}_protocol", code) for score, code in value.items()]
    if key.startswith("score/"):
        numbers = value if isinstance(value, list) else [value]
        return [*zip((key, f"{key}_low", f"{key}_high"), numbers, strict=False)]
    return [(key, value)]
