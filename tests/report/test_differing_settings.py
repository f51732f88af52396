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
