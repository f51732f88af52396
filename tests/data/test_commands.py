"""What the data commands refuse, and how they say it."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra.errors import InstantiationException
from tiny_world import jpeg

from imagen_lit import bench_data, build_shards
from imagen_lit.cli import config
from imagen_lit.data.shard_files.collection import Collection


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "album").mkdir()
    for number in range(3):
        (tmp_path / f"album/{number}.jpg").write_bytes(jpeg(number))
        (tmp_path / f"album/{number}.txt").write_text("words")
    (tmp_path / "pairs.csv").write_text("image,caption\nalbum/0.jpg,words\n")
    return tmp_path


def type_(*words: str) -> None:
    build_shards.main(config.compose("build_shards", ["workers=1", *words]))


FOLDER = ("data/source=folder", "source.path=album")
TABLE = ("data/source=table", "source.path=pairs.csv")


@pytest.mark.parametrize("words", [FOLDER, TABLE], ids=["folder", "table"])
def test_new_shards_need_a_folder_that_the_user_names(home: Path, words: tuple) -> None:
    with pytest.raises(ValueError, match="Set folder=datasets/<name>"):
        type_(*words)
    assert not (home / "datasets").exists()
    type_(*words, "folder=datasets/own")
    assert sorted(path.name for path in (home / "datasets").iterdir()) == ["own", "own.meta"]


def test_shards_that_exist_stay_where_they_are(home: Path) -> None:
    type_(*FOLDER, "folder=own")
    with pytest.raises(ValueError, match="Leave folder= out"):
        type_("data/source=shards", "source.path=own", "folder=other")


def test_the_progress_line_ends_before_an_error(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "album/0.txt").write_text(" ")
    for number in (1, 2):
        (home / f"album/{number}.txt").unlink()
    with pytest.raises(ValueError, match=r"own holds no samples\. Left out were: 3 it has no cap"):
        type_(*FOLDER, "folder=own")
    assert capsys.readouterr().err.endswith("1/1 shards indexed in 0:00\n")


@pytest.mark.parametrize("words", [FOLDER, TABLE], ids=["folder", "table"])
def test_a_source_without_samples_leaves_nothing_in_the_way(home: Path, words: tuple) -> None:
    for number in range(3):
        (home / f"album/{number}.jpg").rename(home / f"{number}.jpg")
        (home / f"album/{number}.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match="holds no samples"):
        type_(*words, "folder=own")
    assert not (home / "own").exists() and not (home / "own.meta").exists()
    for number in range(3):
        (home / f"{number}.jpg").rename(home / f"album/{number}.jpg")
    type_(*words, "folder=own")
    assert len(Collection("own")) == 1


def test_a_filter_that_leaves_nothing_can_be_corrected(home: Path) -> None:
    with pytest.raises(ValueError, match=r"filter"):
        type_(*FOLDER, "folder=own", "filter.min_side=9999")
    type_(*FOLDER, "folder=own", "filter.min_side=1")


def test_scenes_that_would_fill_the_memory_are_refused(home: Path) -> None:
    with pytest.raises(
        InstantiationException, match=r"source\.size=1000000 is larger than 4096\. Set it"
    ):
        type_("source.size=1000000")
    assert not (home / "datasets").exists()


@pytest.mark.parametrize("change", ["a new shard", "a lost shard"])
def test_a_collection_that_grew_or_shrank_says_how_to_index_it_again(
    home: Path, change: str
) -> None:
    type_(*FOLDER, "folder=own", "per_shard=1")
    if change == "a new shard":
        (home / "own/new.tar").write_bytes((home / "own/00000.tar").read_bytes())
    else:
        (home / "own/00001.tar").unlink()
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        Collection("own")
    words = str(error.value).rpartition("delete own.meta/manifest.json, then type: ")[2]
    command, *words = words.removeprefix("python -m imagen_lit.").split()
    assert command == "build_shards"
    (home / "own.meta/manifest.json").unlink()
    type_(*words)
    assert len(Collection("own")) == (4 if change == "a new shard" else 2)


@pytest.mark.parametrize(("count", "per_shard"), [(5, 20), (20, 5), (7, 5)])
def test_the_benchmark_makes_as_many_samples_as_the_config_says(
    tmp_path: Path, count: int, per_shard: int
) -> None:
    bench_data.make(tmp_path, count, per_shard, edge=16, width=4, tokens=2)
    assert sum(Collection(tmp_path / "ours").counts) == count == bench_data.theirs_raw(tmp_path)
    assert min(bench_data.start(tmp_path, 3)) > 0
    assert Collection(tmp_path / "many").counts == [min(count, per_shard)] * 3


def test_a_shard_cut_short_is_one_sentence_from_a_worker_process_too(home: Path) -> None:
    type_(*FOLDER, "folder=own", "per_shard=2")
    shard = home / "own/00001.tar"
    shard.write_bytes(shard.read_bytes()[:1024])
    (home / "own.meta/manifest.json").unlink()
    words = ["data/source=shards", "source.path=own", "workers=2"]
    done = subprocess.run(
        [sys.executable, "-m", "imagen_lit.build_shards", *words], capture_output=True, text=True
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "error: own/00001.tar is cut short" in done.stderr


def test_the_benchmark_says_how_far_it_is(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_data.bench, "step_seconds", lambda cfg: 1.0)
    small = ["count=12", "per_shard=6", "rounds=1", "edge=16", "size=8", "width=4", "tokens=2"]
    bench_data.main(config.compose("bench_data", [*small, "batch=4", "shards=2"]))
    shown = capsys.readouterr().err
    for unit in ("12/12 samples made", "4/4 raw readings", "4/4 readings in batches", "2/2 starts"):
        assert unit in shown
