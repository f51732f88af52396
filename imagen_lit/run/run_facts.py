"""What the files of a run folder say about its run. Reading them needs neither torch nor Lightning,
and writes nothing. What cannot be read becomes a note.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from imagen_lit.run import metrics, state
from imagen_lit.run.state import State

CONFIG = "config.yaml"
FILES = (CONFIG, state.STATUS, metrics.FILE)  # a folder with any of them is a run's
UNREADABLE = (OSError, ValueError, RecursionError, yaml.YAMLError)

LOSSES = ("train/loss", "val/loss")
SERIES = (*LOSSES, metrics.SECONDS, metrics.FLOPS)
UNKNOWN = "of an unknown protocol"  # a score of a version that wrote none
ENOUGH = 400  # rows of each kind; a curve shows fewer

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class RunFacts:
    """`latest`, `lowest`: values of each metric. `series`: the points (images, value) of each loss
    and clock, (images, value, low, high) of each score, without the last two where no interval is
    known; numbers of the score's earlier protocols are in series of their own, `<name> <hash>`.
    `protocols`: the hash behind each series of scores, where it was written. `previews`: (images,
    sheet) of those that exist. `changed`: seconds since 1970."""

    folder: Path
    name: str
    settings: Mapping[str, Any]
    state: State
    images: int
    latest: Mapping[str, float]
    lowest: Mapping[str, float]
    series: Mapping[str, Sequence[tuple[float, ...]]]
    protocols: Mapping[str, str]
    previews: Sequence[tuple[int, Path]]
    changed: float
    notes: Sequence[str]

    @property
    def group(self) -> str:
        """The name up to the last slash; empty without one."""
        return self.name.rpartition("/")[0]

    @property
    def total(self) -> int | None:
        """How many images it shall see, as far as known."""
        total = self.setting("stage.images")
        return total if type(total) is int and 0 < total < metrics.MOST_IMAGES else None

    @property
    def score(self) -> tuple[float, ...] | None:
        """(value, low, high) of the last preview's score over all prompts."""
        points = self.series.get("score/alignment_all")
        return points[-1][1:] if points else None

    def setting(self, key: str) -> Any:
        """A setting by the key that one types; None if it is not there."""
        node: Any = self.settings
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        return node


def read(folder: Path, name: str) -> RunFacts:
    """The facts of the run in a folder; `name` is what to call it."""
    notes: list[str] = []
    settings = _settings(folder, notes)
    rows = _rows(folder, notes)
    latest: dict[str, float] = {}
    lowest: dict[str, float] = {}
    series: dict[str, list[tuple[float, ...]]] = {}
    protocols: dict[str, str] = {}
    previews: dict[int, Path] = {}
    newest = {key: code for row in rows for key, code in _protocols(row).items()}
    for row in rows:
        images, hashes = row["images"], _protocols(row)
        for key, value in row.items():
            if key.startswith("score/") and (score := _score(value)):
                code = hashes.get(key, "")
                curve = key if code == newest.get(key, "") else f"{key} {code or UNKNOWN}"
                protocols[curve] = code
                series.setdefault(curve, []).append((images, *score))
            elif _is_number(value):
                latest[key] = float(value)
                lowest[key] = min(lowest.get(key, latest[key]), latest[key])
                if key in SERIES:
                    series.setdefault(key, []).append((images, latest[key]))
        if isinstance(sheet := row.get("preview"), str) and _is_sheet(folder, sheet):
            previews[images] = folder / sheet
    seen = [int(row["images"]) for row in rows] + [newest_checkpoint(folder)]
    return RunFacts(
        folder,
        name,
        settings,
        state.current(folder),
        max(seen),
        latest,
        lowest,
        series,
        protocols,
        sorted(previews.items()),
        _changed(folder),
        notes,
    )


def read_total(folder: Path) -> int | None:
    """How many images the run in a folder shall see; None where its settings do not say."""
    total = _settings(folder, []).get("stage", {}).get("images")
    return total if type(total) is int else None


def newest_checkpoint(folder: Path) -> int:
    """After how many images the newest checkpoint of a run was saved; 0 where there is none."""
    files = (folder / "checkpoints").glob("*.ckpt")
    return max((int(file.stem) for file in files if file.stem.isdecimal()), default=0)


def _settings(folder: Path, notes: list[str]) -> dict[str, Any]:
    file = folder / CONFIG
    if not file.is_file():
        return {}
    try:
        settings = yaml.load(file.read_text(), Loader)  # a safe loader: plain values only
        json.dumps(settings, skipkeys=True, default=str)  # an alias may hold itself
    except UNREADABLE as error:
        notes.append(f"{CONFIG} cannot be read ({type(error).__name__})")
        return {}
    if not isinstance(settings, dict) or not isinstance(settings.get("stage"), dict):
        notes.append(f"{CONFIG} is not that of a run")
        return {}
    return settings


def _rows(folder: Path, notes: list[str]) -> list[dict[str, Any]]:
    """The rows that say after how many images they were written, thinned."""
    file = folder / metrics.FILE
    if not file.is_file():
        return []
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError as error:
        notes.append(f"{metrics.FILE} cannot be read ({type(error).__name__})")
        return []
    sample = _thin(lines)
    rows = [row for row in map(_row, sample) if row is not None]
    # The last line may be one that a kill, or this very moment, has cut short.
    if lost := len(sample) - len(rows) - (bool(sample) and _row(sample[-1]) is None):
        notes.append(f"{metrics.FILE} has damaged rows ({lost:,} of the {len(sample):,} read)")
    return sorted(rows, key=lambda row: row["images"])


def _thin(lines: list[str]) -> list[str]:
    """All rows of validations and previews; of the others, enough for a curve, and the last."""
    rare = [n for n, line in enumerate(lines) if '"val/loss"' in line or '"preview"' in line]
    numbers = {*_some(range(len(lines))), *_some(rare)}
    return [lines[number] for number in sorted(numbers)]


def _some(numbers: Sequence[int]) -> list[int]:
    return [*numbers[:: len(numbers) // ENOUGH + 1], *numbers[-1:]]


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and metrics.is_count(row.get("images")) else None


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and abs(value) < metrics.MOST_IMAGES)


def _score(value: Any) -> tuple[float, ...] | None:
    """A score with its interval, or alone where it has none; None if it is no score."""
    numbers = value if isinstance(value, list) else [value]
    is_score = len(numbers) in (1, 3) and all(map(_is_number, numbers))
    return tuple(map(float, numbers)) if is_score else None


def _protocols(row: Mapping[str, Any]) -> dict[str, str]:
    hashes = row.get("protocols")
    pairs = hashes.items() if isinstance(hashes, dict) else ()
    return {name: code for name, code in pairs if isinstance(code, str)}


def _is_sheet(folder: Path, name: str) -> bool:
    """A file of the folder itself: a row does not lead elsewhere."""
    try:
        return os.path.basename(name) == name and (folder / name).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _changed(folder: Path) -> float:
    return max(_times(folder), default=0.0)


def _times(folder: Path) -> Iterator[float]:
    for name in FILES:
        try:
            yield (folder / name).stat().st_mtime
        except OSError:
            continue
