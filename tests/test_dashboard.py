"""W&B's pages show what is logged, all of it and nothing else; made without a server."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb_workspaces.workspaces as page
from wandb_workspaces.workspaces import internal

from imagen_lit import dashboard, door, run_folder

SCORES = [name for name in run_folder.METRICS if name.startswith("score/")]
LOGGED = {*run_folder.METRICS, *(f"{name}_{end}" for name in SCORES for end in ("low", "high"))}
TEXTS = {"skipped"}  # keys of pictures: metrics.jsonl has them, and no axis could


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def refuse(each: socket.socket, *args: Any) -> None:
        assert each.family == socket.AF_UNIX, "a page is made without the network"
        connect(each, *args)

    monkeypatch.setattr(socket.socket, "connect", refuse)


def config(*words: str) -> dict[str, Any]:
    return run_folder._plain(door.compose("train", ["logger=wandb", *words]))


def members() -> list[dict[str, Any]]:
    return [config("+sweep=demo", f"stage.condition.drop={drop}") for drop in (0.0, 0.1)]


def named(node: Any) -> Iterator[str]:
    """What the panels of a page speak of: numbers, and pictures."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in ("metrics", "mediaKeys"):
            yield from value
        elif isinstance(value, str) and value.startswith("summary:"):
            yield value.removeprefix("summary:")
        else:
            yield from named(value)
    for each in node if isinstance(node, list) else ():
        yield from named(each)


def sections(workspace: page.Workspace) -> list[dict[str, Any]]:
    return dashboard.spec(workspace)["spec"]["section"]["panelBankConfig"]["sections"]


def pages() -> dict[str, page.Workspace]:
    return {
        "run": dashboard.of_run(config(), "someone"),
        "sweep": dashboard.of_sweep(members(), "someone"),
    }


@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_a_page_speaks_of_what_is_logged_all_of_it_and_of_nothing_else(kind: str) -> None:
    said = set(named(sections(pages()[kind])))
    assert said <= LOGGED
    assert set(run_folder.METRICS) - TEXTS <= said


@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_every_curve_has_images_for_its_axis(kind: str) -> None:
    panels = [each for section in sections(pages()[kind]) for each in section["panels"]]
    curves = [each for each in panels if each["viewType"] == "Run History Line Plot"]
    assert curves and {each["config"]["xAxis"] for each in curves} == {"images"}


@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_what_the_server_would_be_sent_reads_back_as_the_same_page(kind: str) -> None:
    said = dashboard.spec(pages()[kind])
    again = page.Workspace._from_model(internal.View.model_validate(said))
    assert dashboard.spec(again) == said


def test_a_page_is_about_its_runs_alone() -> None:
    filters = {
        kind: dashboard.spec(made)["spec"]["section"]["runSets"][0]["filters"]["filters"]
        for kind, made in pages().items()
    }
    about = {
        kind: [(f["key"]["name"], f["op"], f["value"]) for f in filters[kind]] for kind in filters
    }
    assert about == {
        "run": [("displayName", "=", "demo/base")],
        "sweep": [("group", "=", "sweep/demo")],
    }


def test_members_are_drawn_against_the_numbers_they_differ_in() -> None:
    assert dashboard.axes(members()) == ["stage.condition.drop"]
    wide = [{"a": {"width": n, "text_width": n}, "b": 1, "on": n > 1} for n in (1, 2)]
    assert dashboard.axes(wide) == ["a.width"]
    assert dashboard.axes(wide[:1]) == []


def test_no_member_is_left_out_of_the_curves() -> None:
    many = [config("+sweep=demo", f"stage.condition.drop={drop / 10}") for drop in range(11)]
    made = dashboard.of_sweep(many, "someone")
    assert dashboard.spec(made)["spec"]["section"]["settings"]["maxRuns"] == 11


def test_the_door_says_what_it_would_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for drop in (0.0, 0.1):
        words = ["+sweep=demo", f"stage.condition.drop={drop}", f"runs={tmp_path}"]
        cfg = door.compose("train", words)
        run_folder.claim(tmp_path / cfg.name, cfg)
    dashboard.main(door.compose("dashboard", [f"folder={tmp_path}/sweep/demo"]))
    said = capsys.readouterr().out
    assert "sweep/demo" in said and "val/loss by stage.condition.drop" in said
    assert "not saved" in said and "wandb login" in said
    dashboard.main(door.compose("dashboard", [f"folder={tmp_path}/sweep/demo/drop-0.1"]))
    assert "sweep/demo/drop-0.1: a page" in capsys.readouterr().out


def test_a_folder_that_is_no_mirrored_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no run"):
        dashboard.runs(tmp_path)
    cfg = door.compose("train", [f"runs={tmp_path}", "logger=files"])
    run_folder.claim(tmp_path / cfg.name, cfg)
    with pytest.raises(ValueError, match="not mirrored"):
        dashboard.mirrored(tmp_path / cfg.name)
