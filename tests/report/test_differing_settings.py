"""What distinguishes the members of a sweep is listed once, and nothing else is."""

from pathlib import Path
from typing import Any

import left_runs

from imagen_lit.cli import config
from imagen_lit.report.differing_settings import differences
from imagen_lit.run import run_folder, run_search


def differing(root: Path) -> dict[str, list[tuple[str, str, str]]]:
    return differences(run_search.search(root).runs)


def leave(root: Path, name: str, **changes: Any) -> None:
    left_runs.leave(root, name, config=left_runs.settings(name, **changes))


def test_members_of_a_real_sweep_differ_in_what_is_swept(tmp_path: Path) -> None:
    for drop in (0.0, 0.1):
        words = ["+sweep=demo", f"stage.condition.drop={drop}", f"runs={tmp_path}"]
        cfg = config.compose("train", words)
        run_folder.claim(tmp_path / cfg.name, cfg)
    assert differing(tmp_path) == {
        "sweep/demo/drop-0.0": [("stage.condition.drop", "0.0", "0.1")],
        "sweep/demo/drop-0.1": [("stage.condition.drop", "0.1", "0.0")],
    }


def test_a_copied_setting_is_listed_once_under_its_short_key(tmp_path: Path) -> None:
    for number in (1, 2):
        rate, network = {"lr": number / 100}, {"width": number, "parts": [{"width": number}]}
        leave(tmp_path, f"sweep/{number}", optimizer=rate, network=network, seed=number)
    keys = [key for key, *_ in differing(tmp_path)["sweep/1"]]
    assert keys == ["seed", "optimizer.lr", "network.width"]


def test_what_most_runs_share_is_the_default_and_not_listed(tmp_path: Path) -> None:
    for number, seed in enumerate((0, 0, 0, 7)):
        leave(tmp_path, f"sweep/{number}", seed=seed)
    result = differing(tmp_path)
    assert result["sweep/3"] == [("seed", "7", "0")]
    assert [result[f"sweep/{number}"] for number in range(3)] == [[], [], []]


def test_runs_of_another_kind_or_group_are_not_compared(tmp_path: Path) -> None:
    leave(tmp_path, "demo/base")
    leave(tmp_path, "demo/sr", data={"size": 64}, seed=3)
    leave(tmp_path, "mine/base", seed=5)
    assert set(map(len, differing(tmp_path).values())) == {0}


def test_a_value_that_equals_the_name_of_the_run_is_shown_as_it_is(tmp_path: Path) -> None:
    for name, shards in (("laion", "laion"), ("pets", "datasets/pets")):
        label = {"progress": {"label": name}, "lock": {"folder": f"runs/{name}"}}
        leave(tmp_path, name, data={"size": 16, "shards": shards}, callbacks=label)
    assert differing(tmp_path) == {
        "laion": [("data.shards", "laion", "datasets/pets")],
        "pets": [("data.shards", "datasets/pets", "laion")],
    }
    folder = {"size": 16, "shards": "runs/ab"}  # begins as the folder of a run does
    for name in ("a", "b"):
        leave(tmp_path / "x", name, data=folder)
    assert differing(tmp_path / "x") == {"a": [], "b": []}


def test_a_part_that_one_run_lacks_is_one_difference(tmp_path: Path) -> None:
    for name in ("default", "preview"):
        words = [f"callbacks={name}", f"name={name}", f"runs={tmp_path}", "logger=files"]
        cfg = config.compose("train", words)
        run_folder.claim(tmp_path / cfg.name, cfg)
    assert differing(tmp_path)["preview"] == [("callbacks.preview", "Preview", "none")]


def test_another_optimiser_is_one_difference_and_what_both_have(tmp_path: Path) -> None:
    for name in ("muon", "adam"):
        words = [f"optimizer={name}", f"name={name}", f"runs={tmp_path}", "logger=files"]
        cfg = config.compose("train", [*words, "optimizer.lr=0.004"])
        run_folder.claim(tmp_path / cfg.name, cfg)
    result = differing(tmp_path)["adam"]
    assert ("optimizer", "Adam", "Muon") in result and not any("–" in row for row in result)
