"""What is said before cells are done: how many, how much they train and draw, how long that takes
as far as a speed was measured, the disk space, and the smallest difference that they can show.
"""

import statistics
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

from imagen_lit.ablation import preparation
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.definition import EVALUATE
from imagen_lit.ablation.disk_space import DiskSpace
from imagen_lit.ablation.ledger import Entry
from imagen_lit.basics import json_file
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.short_form import quantity
from imagen_lit.evaluation import smallest_difference

PROBE = "probe.json"  # in a run's folder: what `bench … save=true` measured


def lines(
    cells: Sequence[Cell], entries: Mapping[str, Entry], seeds: int, space: DiskSpace
) -> list[str]:
    """A few lines."""
    trainings = [cell for cell in cells if cell.command == "train"]
    drawings = [cell for cell in cells if cell.command == EVALUATE]
    others = len(cells) - len(trainings) - len(drawings)
    learnt = sum(_images(cell) - entries[cell.name].cost.images for cell in trainings)
    drawn = sum(_prompts(cell) for cell in drawings)
    counts = [
        quantity(others, "preparation"),
        f"{quantity(len(trainings), 'training')} of {quantity(learnt, 'image')}",
        f"{quantity(len(drawings), 'drawing')} of {quantity(drawn, 'prompt')}",
    ]
    text = [f"to do: {', '.join(counts)}"]
    done = [entry for entry in entries.values() if entry.is_done]
    text.append(f"hours: {_hours(trainings, drawings, entries, done, space.runs)}")
    if trainings:
        text.append(f"disk: {space}")
    if seeds > 1:
        text.append(f"with {smallest_difference.sentence(seeds)}")
    elif prompts := max(map(_prompts, drawings), default=0):
        text.append(smallest_difference.prompts_sentence(max(prompts, 2)))
    return text


def _images(cell: Cell) -> int:
    return int(preparation.setting("train", _shared(cell), "stage.images"))


def _prompts(cell: Cell) -> int:
    own = cell.settings.get("prompts.count")
    count = own or preparation.setting(EVALUATE, _shared(cell), "prompts.count")
    return count if type(count) is int else 0


def _shared(cell: Cell) -> dict[str, object]:
    """Its settings without those that change neither images nor prompts, to compose few configs."""
    skipped = ("seed", "name", "runs", "text")
    shared = {k: v for k, v in cell.settings.items() if k not in skipped}
    return {k: v for k, v in shared.items() if not k.startswith("cascade.")}


def _hours(
    trainings: Sequence[Cell],
    drawings: Sequence[Cell],
    entries: Mapping[str, Entry],
    done: Sequence[Entry],
    runs: Path,
) -> str:
    seconds, on_devices, unknown, bench = 0.0, 0.0, [], ""
    for cell in trainings:
        own = _but_seed(cell)
        alike = {name for name, each in entries.items() if _but_seed(each.cell) == own}
        probes = filter(None, (_probed(runs / name) for name in alike))
        rate = _middle(probes) or _middle(_rates(cell, alike, done))
        if rate is None:
            unknown.append(cell)
            bench = bench or cell.line.replace("imagen_lit.train", "imagen_lit.bench", 1)
        else:
            rest = (_images(cell) - entries[cell.name].cost.images) / rate
            seconds += rest
            on_devices += rest * _devices(cell)
    each = _middle(entry.cost.seconds for entry in done if entry.cell.command == EVALUATE)
    if each is None and drawings:
        unknown += drawings
    drawing = len(drawings) * (each or 0.0)
    hours = (seconds + drawing) / 3600
    known = f"{hours:,.2f} at the speeds measured here" if hours else ""
    if on_devices > seconds:
        known += f", {(on_devices + drawing) / 3600:,.2f} of all devices together"
    if not unknown:
        return known or "none"
    words = "unknown before the first of its kind is done"
    if bench:
        words = f"unknown before a probe: {bench} save=true"
    return f"{known}; of {quantity(len(unknown), 'cell')} {words}" if known else words


def _rates(cell: Cell, alike: Container[str], done: Sequence[Entry]) -> list[float]:
    """Images a second of the finished trainings among those alike; where there is none, of those of
    the same stage."""
    stage = cell.name.rpartition("/")[0]
    others = [each for each in done if each.cell.name.rpartition("/")[0] == stage]
    own = [each for each in others if each.cell.name in alike] or others
    return [each.cost.images / each.cost.seconds for each in own if each.cost.seconds]


def _but_seed(cell: Cell) -> dict[str, object]:
    """All that decides how fast a cell is; its command too."""
    settings = {k: v for k, v in cell.settings.items() if k not in ("seed", "name")}
    return {"command": cell.command, **settings}


def _devices(cell: Cell) -> int:
    from imagen_lit.run.trainer import device_count  # torch takes seconds

    return device_count(preparation.compose("train", _shared(cell)))


def _probed(folder: Path) -> float | None:
    try:
        probe = json_file.read(folder / PROBE, "Remove it.")
        return float(probe["images_per_second"])
    except (OSError, InputError, LookupError, TypeError, ValueError):
        return None


def _middle(values: Iterable[float]) -> float | None:
    values = list(values)
    return statistics.median(values) if values else None
