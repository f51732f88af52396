"""A folder that cannot be one is refused by every command, with its setting, before any work."""

import errno
import importlib
import os
from pathlib import Path

import pytest

from imagen_lit import bench_data, bench_text
from imagen_lit.basics import chosen_folder
from imagen_lit.cli import config, user_error
from imagen_lit.pretrain_text import pretrain

COMMANDS = [
    ("sample", "out={}", "out"),
    ("train", "name={}", "name"),
    ("train", "runs={}", "runs"),
    ("bench", "name={}", "name"),
    ("evaluate", "name={}", "name"),
    ("evaluate", "out={}", "out"),
    ("embed_text", "folder={}", "folder"),
    ("embed_text", "shards={}", "shards"),
    ("build_shards", "folder={}", "folder"),
    ("pretrain_text", "folder={}", "folder"),
    ("dashboard", "folder={}", "folder"),
    ("rate", "folder={}", "folder"),
    ("studio", "folder={}", "folder"),
    ("runs", "runs={}", "runs"),
    ("demo", "runs={}", "runs"),
    ("demo", "datasets={}", "datasets"),
    ("bench_data", "scratch={}", "scratch"),
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for name in ("notes.md", "runs/notes.md"):
        (tmp_path / name).write_text("mine")
    return tmp_path


@pytest.mark.parametrize("typed", ["notes.md", "notes.md/below"])
@pytest.mark.parametrize(("command", "word", "setting"), COMMANDS)
def test_a_file_in_the_place_of_a_folder_is_named_with_its_setting(
    home: Path, command: str, word: str, setting: str, typed: str
) -> None:
    main = importlib.import_module(f"imagen_lit.{command}").main
    place = "runs/notes.md" if setting == "name" else "notes.md"
    with pytest.raises(
        ValueError,
        match=rf"^{setting}={typed} needs a folder where {place} is a file\. Set {setting}=",
    ):
        main(config.compose(command, [word.format(typed)]))
    assert sorted(p.name for p in home.rglob("*")) == ["notes.md", "notes.md", "runs"]


def test_a_link_that_leads_nowhere_is_named(home: Path) -> None:
    (home / "disk").symlink_to("gone")
    with pytest.raises(ValueError, match="where disk is a link that leads nowhere"):
        chosen_folder.of("out", "disk/images")


def test_a_folder_that_may_not_be_written_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != Path("runs"))
    chosen_folder.require_writable("out", "mine/new", Path("mine/new"))
    with pytest.raises(ValueError, match=r"^out=runs/new leads into runs, where you may not write"):
        chosen_folder.require_writable("out", "runs/new", Path("runs/new"))


def test_an_encoder_is_put_over_no_other_files(home: Path) -> None:
    with pytest.raises(ValueError, match=r"^folder=runs holds other files.* Set folder=encoders/"):
        pretrain(Path("runs"), 0, 0, lambda done, loss: None, width=16)


def test_the_folder_of_a_benchmark_must_be_there(home: Path) -> None:
    with pytest.raises(ValueError, match=r"^scratch=gone is no folder\. Set scratch="):
        bench_data.main(config.compose("bench_data", ["scratch=gone"]))


@pytest.mark.parametrize("file", ["notes.md", "notes.md/curve.svg", "runs", "2"])
def test_a_figure_that_cannot_be_written_is_refused_before_the_work(home: Path, file: str) -> None:
    with pytest.raises(ValueError, match=rf"^figure={file} .* Set figure="):
        bench_text.main(config.compose("bench_text", [f"figure={file}"]))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "notes.md/a/b"), "notes.md is no fo"),
        (FileExistsError(errno.EEXIST, "File exists", "notes.md"), "notes.md is no folder"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "runs"), "runs is a folder, where a f"),
        (OSError(errno.EROFS, "Read-only", "a/.b.json.host.7.tmp"), "a lies on a disk that can on"),
        (
            PermissionError(errno.EACCES, "No", "a/.b.json.host.7.tmp"),
            "a cannot be read or written",
        ),
    ],
)
def test_an_obstacle_that_no_setting_names_is_a_sentence_too(error: OSError, words: str) -> None:
    sentence = user_error.sentence(error, list)
    assert sentence is not None and sentence.startswith(words) and "Errno" not in sentence
