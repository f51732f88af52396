"""The command that lists runs: quick, harmless, and clear where there is nothing to list."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import left_runs
import pytest

from imagen_lit import runs
from imagen_lit.cli import config

LIGHT = """
import sys
from imagen_lit import runs
from imagen_lit.cli import config
runs.main(config.compose("runs", [f"runs={sys.argv[1]}"]))
heavy = {"torch", "lightning", "matplotlib", "wandb", "transformers"} & {*sys.modules}
sys.exit(f"imported {heavy}" if heavy else 0)
"""


def files(root: Path) -> dict[Path, tuple[int, bytes]]:
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in root.rglob("*") if p.is_file()}


def test_listing_needs_no_torch_and_changes_no_run(tmp_path: Path) -> None:
    left_runs.leave(tmp_path, "demo/base", sheets=2)
    left_runs.leave(tmp_path, "mine", {"state": "running"})
    before = files(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert f"the page: {tmp_path}/index.html" in done.stdout and "killed" in done.stdout
    after = files(tmp_path)
    assert set(after) - set(before) == {tmp_path / "index.html"}
    assert {path: after[path] for path in before} == before


def show(root: Path, match: str = "") -> list[str]:
    return runs.show(root, match, root / "index.html")


def test_the_page_is_written_anew_each_time(tmp_path: Path) -> None:
    left_runs.leave(tmp_path, "first")
    show(tmp_path)
    left_runs.leave(tmp_path, "second")
    show(tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert ">first</a>" in page and ">second</a>" in page
    assert show(tmp_path, "sec")[-2].startswith("  second")
    assert ">first</a>" not in (tmp_path / "index.html").read_text()


def test_without_runs_a_sentence_says_what_to_type(tmp_path: Path) -> None:
    (line,) = show(tmp_path)
    assert line.endswith("Type python -m imagen_lit.train, or make demo.")
    left_runs.leave(tmp_path, "mine")
    (line,) = show(tmp_path, "yours")
    assert "whose name contains 'yours'" in line and line.endswith(
        "There are mine. Set match=... to a part of a name."
    )
    assert not (tmp_path / "index.html").exists()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no folder .*elsewhere.* set runs="):
        show(tmp_path / "elsewhere")


def test_the_page_lies_in_no_run_and_replaces_no_other_file(tmp_path: Path) -> None:
    folder = left_runs.leave(tmp_path, "mine")
    before = files(folder)
    for root, file in ((folder, folder / "index.html"), (tmp_path, folder / "a" / "b.html")):
        with pytest.raises(ValueError, match=r"lies in the folder of the run .*mine"):
            runs.show(root, "", file)
    assert files(folder) == before and not (folder / "a").exists()
    other = tmp_path / "index.html"
    other.write_text("my own notes")
    with pytest.raises(ValueError, match=r"is not a page of runs\. Set page="):
        show(tmp_path)
    assert other.read_text() == "my own notes"


def test_the_command_is_configured_by_its_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left_runs.leave(tmp_path, "sweep/one")
    left_runs.leave(tmp_path, "other/two")
    page = tmp_path / "pages" / "sweep.html"
    runs.main(config.compose("runs", [f"runs={tmp_path}", "match=sweep", f"page={page}"]))
    output = capsys.readouterr().out
    assert "one" in output and "two" not in output and page.is_file()


def test_a_page_of_matches_leaves_the_page_of_all_runs(tmp_path: Path) -> None:
    for name in ("sweep/one", "other/two"):
        left_runs.leave(tmp_path, name)
    runs.main(config.compose("runs", [f"runs={tmp_path}"]))
    of_all = (tmp_path / "index.html").read_text()
    runs.main(config.compose("runs", [f"runs={tmp_path}", "match=sweep"]))
    assert (tmp_path / "index.html").read_text() == of_all and ">two</a>" in of_all
    assert ">two</a>" not in (tmp_path / "matches.html").read_text()


def test_the_notes_are_those_of_the_runs_that_match(tmp_path: Path) -> None:
    for name in ("demo/one", "other/two"):
        left_runs.leave(tmp_path, name)
        evaluation = tmp_path / f"{name}_evaluation"
        evaluation.mkdir()
        (evaluation / "scores.json").write_text("{")
    notes = [line for line in show(tmp_path, "demo") if line.startswith("note: ")]
    assert notes == ["note: demo/one_evaluation: scores.json cannot be read"]
    assert len([line for line in show(tmp_path) if line.startswith("note: ")]) == 2


@pytest.mark.parametrize(
    ("match", "noted"), [("", True), ("locked", True), ("locked/mine", True), ("demo", False)]
)
def test_a_folder_that_cannot_be_opened_is_noted_where_it_may_hold_a_match(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, match: str, noted: bool
) -> None:
    for name in ("demo/one", "locked/mine"):
        left_runs.leave(tmp_path, name)
    scan = os.scandir

    def refuse(folder: str) -> object:
        if Path(folder).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    text = "\n".join(show(tmp_path, match))
    assert ("locked cannot be opened (Permission denied)" in text.replace("\n", " ")) == noted


@pytest.mark.parametrize("match", ["[a]", "{a: b}", "true"])
def test_a_match_that_is_no_text_is_refused(tmp_path: Path, match: str) -> None:
    left_runs.leave(tmp_path, "mine")
    with pytest.raises(ValueError, match=r"^match=.* is no part of a name\. Set match="):
        runs.main(config.compose("runs", [f"runs={tmp_path}", f"match={match}"]))


def test_the_number_zero_matches_as_any_text_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("drop-0", "drop-1"):
        left_runs.leave(tmp_path, name)
    runs.main(config.compose("runs", [f"runs={tmp_path}", "match=0"]))
    shown = capsys.readouterr().out
    assert "drop-0" in shown and "drop-1" not in shown


def test_how_a_run_differs_from_the_paper_is_printed_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = left_runs.leave(tmp_path, "half", {"state": "running"})
    (folder / "metrics.jsonl").unlink()
    before = files(tmp_path)
    runs.main(config.compose("runs", [f"runs={tmp_path}", f"deviations={folder}"]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("half against the paper’s 64 × 64 base (stage=base64)")
    assert "| data · size | 64 (§ 4.1) | 16 | ours, for this run |" in lines
    assert files(tmp_path) == before


def test_a_folder_without_a_config_differs_from_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no run's config\.yaml .* Name the folder"):
        runs.main(config.compose("runs", [f"deviations={tmp_path}"]))
