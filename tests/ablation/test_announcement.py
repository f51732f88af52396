"""What is said before an ablation starts, and what is refused for want of space."""

import json
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from imagen_lit.ablation import announcement, disk_space, preparation
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.ledger import DONE, MISSING, Cost, Entry
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.run import checkpoint
from imagen_lit.stage.training import Stage

TRAINING = {"stage": "demo_base", "callbacks": "default", "stage.images": 3_600}


def cells(count: int, **others: Any) -> list[Cell]:
    """Trainings of 3,600 images, one for each seed, and a drawing of 16 prompts of each."""
    pairs = [
        (
            Cell("train", {**TRAINING, **others, "seed": n, "name": f"base/{n}"}, f"base/{n}"),
            Cell("evaluate", {"cascade": "demo_base", "prompts.count": 16}, f"drawn/{n}"),
        )
        for n in range(count)
    ]
    return [cell for pair in pairs for cell in pair]


def said(runs: Path, done: int, seeds: int = 3, count: int = 3, **others: Any) -> list[str]:
    """What is said when so many of the trainings are done, each in 360 seconds."""
    entries = {}
    for number, cell in enumerate(cells(count, **others)):
        is_done = number < 2 * done
        cost = Cost(360.0 if cell.command == "train" else 36.0, 3_600) if is_done else Cost()
        entries[cell.name] = Entry(cell, DONE if is_done else MISSING, cost=cost)
    to_do = [entry.cell for entry in entries.values() if not entry.is_done]
    return announcement.lines(to_do, entries, seeds, disk_space.of(to_do, runs))


def test_images_and_prompts_are_counted_and_hours_follow_from_what_is_done(tmp_path: Path) -> None:
    work, hours, disk, shown = said(tmp_path, done=1)
    assert work == "to do: 0 preparations, 2 trainings of 7,200 images, 2 drawings of 32 prompts"
    assert hours == "hours: 0.22 at the speeds measured here", "2 x 360 s and 2 x 36 s"
    assert "GB of checkpoints" in disk and "3 training seeds an arm" in shown


def test_without_a_speed_no_hours_are_claimed(tmp_path: Path) -> None:
    _, hours, _, shown = said(tmp_path, done=0, seeds=1)
    assert hours.startswith("hours: unknown before a probe: python -m imagen_lit.bench stage=")
    assert hours.endswith("save=true") and "0.00" not in hours and "one training seed" in shown


def test_a_probe_of_bench_gives_the_hours_of_its_training(tmp_path: Path) -> None:
    (tmp_path / "base/0").mkdir(parents=True)
    (tmp_path / "base/0/probe.json").write_text(json.dumps({"images_per_second": 2}))
    hours = said(tmp_path, done=0, count=1)[1]
    assert hours.startswith("hours: 0.50 at the speeds measured here; of 1 cell unknown")


def test_a_probe_of_one_seed_is_one_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "base/0").mkdir(parents=True)
    (tmp_path / "base/0/probe.json").write_text(json.dumps({"images_per_second": 2}))
    assert said(tmp_path, done=0)[1].startswith("hours: 1.50 at the speeds measured here; of 3")


def test_hours_of_drawings_alone_are_said(tmp_path: Path) -> None:
    training, first, _, second = cells(2)
    done = {each.name: Entry(each, DONE, cost=Cost(36.0)) for each in (training, first)}
    entries = {**done, second.name: Entry(second, MISSING)}
    lines = announcement.lines([second], entries, 3, disk_space.of([], tmp_path))
    assert lines[1] == "hours: 0.01 at the speeds measured here"


def test_hours_of_several_devices_are_said_of_all_of_them_too(tmp_path: Path) -> None:
    several = {"trainer": "ddp", "trainer.num_nodes": 2, "trainer.devices": 8}
    hours = said(tmp_path, done=1, **several)[1]
    assert hours == ("hours: 0.22 at the speeds measured here, 3.22 of all devices together"), (
        "2 x 360 s on 16 devices, and 2 x 36 s"
    )


def test_the_speed_of_another_arm_counts_only_where_no_seed_of_this_one_is_done(
    tmp_path: Path,
) -> None:
    seeds, other = cells(2), Cell("train", {**TRAINING, "network.channels": [8]}, "base/other")
    slow, quick = (Cost(seconds, 3_600) for seconds in (3_600.0, 36.0))
    entries = {other.name: Entry(other, DONE, cost=slow), "base/1": Entry(seeds[2], MISSING)}
    space = disk_space.of([], tmp_path)
    assert announcement.lines([seeds[2]], entries, 1, space)[1].startswith("hours: 1.00 ")
    entries["base/0"] = Entry(seeds[0], DONE, cost=quick)
    assert announcement.lines([seeds[2]], entries, 1, space)[1].startswith("hours: 0.01 ")


def test_too_little_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda place: usage(10, 9, 1))
    with pytest.raises(InputError, match=r"GB free\. Set runs=\.\.\. to a larger disk"):
        disk_space.of(cells(1), tmp_path).require()
    assert "GB of checkpoints; too many: the disk" in said(tmp_path, done=0)[2], "a plan only says"


def test_a_checkpoint_takes_what_its_file_takes(tmp_path: Path) -> None:
    """Oracle: weights, EMA and state of an optimiser after a step, as a file."""
    settings: dict[str, Any] = {**TRAINING, "network.channels": [8, 16], "network.blocks": [1, 1]}
    settings |= {"network.attention": [False, True], "network.head_width": 8}
    stage: Stage = config.build(preparation.compose("train", settings).stage)
    optimizer = stage.configure_optimizers()
    for weight in stage.denoiser.parameters():
        weight.grad = weight.detach().clone()
    optimizer.step()
    state = {"state_dict": stage.state_dict(), "optimizer": optimizer.state_dict()}
    file = checkpoint.path(tmp_path, 1)
    checkpoint.write(state, file)
    kept = disk_space.checkpoint_bytes([Cell("train", {**settings, "seed": 0}, "a")])
    assert kept / 2 == pytest.approx(file.stat().st_size, rel=0.2), "the two newest are kept"
