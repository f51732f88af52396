"""Processes that share a command's images draw the very files that one process draws."""

from pathlib import Path
from typing import Any

import pytest
from tiny_run import Encoder, leave_run

from imagen_lit import evaluate, sample
from imagen_lit.cli import config

PROMPTS = ["a red circle", "two pink crosses", "", "a blue square", "a green star"]
FAST = ["cascade=demo_base", "cascade.base.recipe.steps=2", "batch=3"]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A command as process `rank` of `count`, with an encoder without files."""
    leave_run(tmp_path, "base")
    build = config.build
    monkeypatch.setattr(config, "build", lambda n: Encoder() if "max_length" in n else build(n))

    def run(command: Any, rank: int, count: int, *words: str) -> None:
        for name, value in (("RANK", rank), ("WORLD_SIZE", count), ("LOCAL_RANK", rank)):
            monkeypatch.setenv(name, str(value))
        name = command.__name__.rpartition(".")[2]
        command.main(config.compose(name, [f"runs={tmp_path}", *FAST, *words]))

    return run


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    files = [file for file in files if file.name != "attempts.jsonl"]  # which has the time in it
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_one_two_and_three_processes_draw_the_same_files(
    tmp_path: Path, start: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"prompts={PROMPTS!r}"]
    for count in (1, 2, 3):
        out = tmp_path / f"of{count}"
        for rank in reversed(range(count)):
            assert not (out / "sheet.png").exists()
            start(sample, rank, count, *words, f"out={out}")
            said = capsys.readouterr().out
            assert ("all side by side, 5:" in said) == (rank == 0), "the last to end"
            assert said.count(" (seed 0): ") == len(PROMPTS[rank::count])
            assert ("of them by this process" in said) == (count > 1)
    one, two, three = (contents(tmp_path / f"of{count}") for count in (1, 2, 3))
    assert len(one) == 6 and one == two == three


def test_what_an_interrupted_process_left_is_drawn_to_the_same_bits(
    tmp_path: Path, start: Any
) -> None:
    words = [f"prompts={PROMPTS!r}", f"out={tmp_path}/mine"]
    start(sample, 0, 1, *words)
    whole = contents(tmp_path / "mine")
    for name in list(whole)[:3]:
        (tmp_path / "mine" / name).unlink()
    start(sample, 0, 1, *words)
    assert contents(tmp_path / "mine") == whole


def test_an_evaluation_is_scored_by_the_process_that_ends_last(
    tmp_path: Path, start: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    start(evaluate, 0, 1, "prompts.count=4", "name=one")
    folder = tmp_path / "two"
    for rank in (1, 0):
        assert not (folder / "scores.json").exists()
        start(evaluate, rank, 2, "prompts.count=4", "name=two")
    assert "last process to end judges" in capsys.readouterr().out
    assert contents(folder) == contents(tmp_path / "one")
