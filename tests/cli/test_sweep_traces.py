"""A sweep leaves its members' work, and nothing of Hydra's."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from imagen_lit.cli import sweep_traces


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("group/empty", "group/trained"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    (tmp_path / "mine/group/trained/config.yaml").touch()
    (tmp_path / "mine/multirun.yaml").touch()
    return tmp_path


def member(name: str) -> SimpleNamespace:
    place = SimpleNamespace(output_dir=f"mine/group/{name}")
    return SimpleNamespace(sweep=SimpleNamespace(dir="mine"), runtime=place)


def test_only_what_members_have_written_stays(home: Path) -> None:
    for name in ("empty", "trained"):
        sweep_traces.remove_member(member(name))
    sweep_traces.remove("train", ["runs=mine", "seed=0,1"])
    assert [path.name for path in (home / "mine/group").iterdir()] == ["trained"]
    assert not (home / "mine/multirun.yaml").exists()


def test_a_sweep_that_wrote_nothing_leaves_no_folder(home: Path) -> None:
    (home / "mine/group/trained/config.yaml").unlink()
    for name in ("empty", "trained"):
        sweep_traces.remove_member(member(name))
    sweep_traces.remove("train", ["runs=mine"])
    assert not (home / "mine").exists()
