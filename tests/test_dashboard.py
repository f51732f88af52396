"""W&B's pages show what is logged, all of it and nothing else; made without a server."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb_workspaces.workspaces as page
from wandb_workspaces.workspaces import internal

from imagen_lit import dashboard
from imagen_lit.cli import config
from imagen_lit.run import metrics, run_folder, wandb_report

SCORES = [name for name in metrics.METRICS if name.startswith("score/")]
LOGGED = {*metrics.METRICS, *(f"{name}_{end}" for name in SCORES for end in ("low", "high"))}
KINDS = ("run", "sweep", "ablation")
TEXTS = {"skipped_keys", "protocols"}  # metrics.jsonl has them, and no axis could


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def refuse(each: socket.socket, *args: Any) -> None:
        assert each.family == socket.AF_UNIX, "a page is made without the network"
        connect(each, *args)

    monkeypatch.setattr(socket.socket, "connect", refuse)


def settings(*words: str) -> dict[str, Any]:
    return run_folder.plain(config.compose("train", ["logger=wandb", *words]))


def members() -> list[dict[str, Any]]:
    return [settings("+sweep=demo", f"stage.condition.drop={drop}") for drop in (0.0, 0.1)]


def facts() -> dict[str, Any]:
    """What report.json holds."""
    names = [each["name"] for each in members()]
    return {
        "name": "drop",
        "scale": "demo",
        "head": {"Question": "Does it matter?", "Cost": "little"},
        "cells": 9,
        "done": 4,
        "single_seed": "",
        "trainings": {name: f"arm {number}" for number, name in enumerate(names)},
        "figures": [{"answer": "By kid no two of the 2 arms can be told apart."}],
    }


def shown(node: Any) -> Iterator[str]:
    """The metrics and images that the panels of a page show."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in ("metrics", "mediaKeys"):
            yield from value
        elif isinstance(value, str) and value.startswith("summary:"):
            yield value.removeprefix("summary:")
        else:
            yield from shown(value)
    for each in node if isinstance(node, list) else ():
        yield from shown(each)


def sections(workspace: page.Workspace) -> list[dict[str, Any]]:
    return dashboard.spec(workspace)["spec"]["section"]["panelBankConfig"]["sections"]


def pages() -> dict[str, page.Workspace]:
    return {
        "run": dashboard.of_run(settings(), "someone"),
        "sweep": dashboard.of_sweep(members(), "someone"),
        "ablation": dashboard.of_ablation(facts(), members(), "someone"),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_shows_everything_that_is_logged_and_nothing_else(kind: str) -> None:
    names = set(shown(sections(pages()[kind])))
    assert names <= LOGGED
    assert set(metrics.METRICS) - TEXTS <= names


@pytest.mark.parametrize("kind", KINDS)
def test_every_curve_has_images_for_its_axis(kind: str) -> None:
    panels = [each for section in sections(pages()[kind]) for each in section["panels"]]
    curves = [each for each in panels if each["viewType"] == "Run History Line Plot"]
    assert curves and {each["config"]["xAxis"] for each in curves} == {"images"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_would_be_sent_reads_back_as_the_same_page(kind: str) -> None:
    spec = dashboard.spec(pages()[kind])
    parsed = page.Workspace._from_model(internal.View.model_validate(spec))
    assert dashboard.spec(parsed) == spec


def test_a_page_is_about_its_runs_alone() -> None:
    filters = {
        kind: dashboard.spec(workspace)["spec"]["section"]["runSets"][0]["filters"]["filters"]
        for kind, workspace in pages().items()
    }
    about = {
        kind: [(f["key"]["name"], f["op"], f["value"]) for f in filters[kind]] for kind in filters
    }
    assert about == {
        "run": [("displayName", "=", "base")],
        "sweep": [("group", "=", "sweep/demo")],
        "ablation": [("displayName", "IN", ["sweep/demo/drop-0.0", "sweep/demo/drop-0.1"])],
    }


def test_members_are_plotted_against_the_numbers_they_differ_in() -> None:
    assert dashboard.axes(members()) == ["stage.condition.drop"]
    wide = [{"a": {"width": n, "text_width": n}, "b": 1, "on": n > 1} for n in (1, 2)]
    assert dashboard.axes(wide) == ["a.width"]
    assert dashboard.axes(wide[:1]) == []


def test_no_member_is_left_out_of_the_curves() -> None:
    many = [settings("+sweep=demo", f"stage.condition.drop={drop / 10}") for drop in range(11)]
    workspace = dashboard.of_sweep(many, "someone")
    assert dashboard.spec(workspace)["spec"]["section"]["settings"]["maxRuns"] == 11


def test_the_command_prints_what_it_would_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for drop in (0.0, 0.1):
        words = ["+sweep=demo", f"stage.condition.drop={drop}", f"runs={tmp_path}"]
        cfg = config.compose("train", words)
        run_folder.claim(tmp_path / cfg.name, cfg)
    dashboard.main(config.compose("dashboard", [f"folder={tmp_path}/sweep/demo"]))
    output = capsys.readouterr().out
    assert "sweep/demo" in output and "val/loss by stage.condition.drop: none yet" in output
    assert "not saved" in output and "wandb login" in output
    row = {"images": 64, "val/loss": 0.9, "preview": "preview_000000064.png"}
    (tmp_path / "sweep/demo/drop-0.1/metrics.jsonl").write_text(json.dumps(row) + "\n")
    dashboard.main(config.compose("dashboard", [f"folder={tmp_path}/sweep/demo/drop-0.1"]))
    output = capsys.readouterr().out
    assert "sweep/demo/drop-0.1: a page" in output
    assert "validation loss\n" in output and "training loss: none yet\n" in output
    assert "held-out prompts drawn right, by kind: none yet\n" in output
    assert "previews: prompts drawn while it trains\n" in output


def test_a_folder_without_a_run_in_wandb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no run"):
        dashboard.runs(tmp_path)
    cfg = config.compose("train", [f"runs={tmp_path}", "logger=files"])
    run_folder.claim(tmp_path / cfg.name, cfg)
    with pytest.raises(ValueError, match="not logged to W&B"):
        dashboard.logged(tmp_path / cfg.name)


def test_the_report_of_an_ablation_has_its_answers_and_a_set_of_runs_for_each_arm() -> None:
    panels = [*dashboard._lines(dashboard.LEARNING)]
    made = wandb_report.of_ablation(facts(), members(), "", panels)  # an owner is asked for
    spec = dashboard.spec(made)
    text = json.dumps(spec)
    assert "Does it matter?" in text and "no two of the 2 arms" in text
    assert "4 of 9 cells are done" in text and "little" not in text
    (grid,) = [block for block in spec["spec"]["blocks"] if block["type"] == "panel-grid"]
    sets = grid["metadata"]["runSets"]
    assert [each["name"] for each in sets] == ["arm 0", "arm 1"]
    values = [each["filters"]["filters"][0]["value"] for each in sets]
    assert values == [[name] for name in facts()["trainings"]]
    assert set(shown(grid)) <= LOGGED and "val/loss" in set(shown(grid))


def test_the_command_makes_both_for_the_report_of_an_ablation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = tmp_path / "ablation/demo/reports/drop"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(facts()))
    with pytest.raises(ValueError, match="no training has begun"):
        dashboard.main(config.compose("dashboard", [f"folder={folder}"]))
    cfg = config.compose(
        "train", ["+sweep=demo", "stage.condition.drop=0.1", "logger=wandb", f"runs={tmp_path}"]
    )
    run_folder.claim(tmp_path / cfg.name, cfg)
    dashboard.main(config.compose("dashboard", [f"folder={folder}"]))
    output = capsys.readouterr().out
    assert "ablation drop at scale demo: a page" in output and "not saved" in output


def test_a_run_of_an_ablation_has_a_page_though_its_name_holds_a_plus() -> None:
    config = settings("name=ablation/demo/base/seed-0+text-t5_nano")
    workspace = dashboard.of_run(config, "someone")
    assert workspace.name == "ablation/demo/base/seed-0-text-t5_nano"
    filters = dashboard.spec(workspace)["spec"]["section"]["runSets"][0]["filters"]["filters"]
    assert filters[0]["value"] == config["name"]
