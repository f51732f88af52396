"""What the doors of this room refuse, and how they say it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_world import jpeg

from imagen_lit import bench_data, build_shards, door
from imagen_lit.data.collection import Collection


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "album").mkdir()
    for number in range(3):
        (tmp_path / f"album/{number}.jpg").write_bytes(jpeg(number))
        (tmp_path / f"album/{number}.txt").write_text("words")
    (tmp_path / "pairs.csv").write_text("image,caption\nalbum/0.jpg,words\n")
    return tmp_path


def type_(*words: str) -> None:
    build_shards.main(door.compose("build_shards", ["workers=1", *words]))


FOLDER = ("data/source=folder", "source.path=album")
TABLE = ("data/source=table", "source.path=pairs.csv")


@pytest.mark.parametrize("words", [FOLDER, TABLE], ids=["folder", "table"])
def test_shards_of_ones_own_go_nowhere_until_the_place_is_told(here: Path, words: tuple) -> None:
    with pytest.raises(ValueError, match="type folder=datasets/<name>"):
        type_(*words)
    assert not (here / "datasets").exists()
    type_(*words, "folder=datasets/own")
    assert sorted(path.name for path in (here / "datasets").iterdir()) == ["own", "own.meta"]


def test_shards_that_exist_stay_where_they_are(here: Path) -> None:
    type_(*FOLDER, "folder=own")
    with pytest.raises(ValueError, match="leave folder= out"):
        type_("data/source=shards", "source.path=own", "folder=other")


def test_the_line_that_counts_ends_before_an_error(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "album/0.txt").write_text(" ")
    for number in (1, 2):
        (here / f"album/{number}.txt").unlink()
    with pytest.raises(ValueError, match=r"own holds no samples\. Left out were: 3 it has no cap"):
        type_(*FOLDER, "folder=own")
    assert capsys.readouterr().out.endswith("1/1 shards indexed\n")


@pytest.mark.parametrize("change", ["a new shard", "a lost shard"])
def test_a_collection_that_grew_or_shrank_says_how_to_index_it_anew(
    here: Path, change: str
) -> None:
    type_(*FOLDER, "folder=own", "per_shard=1")
    if change == "a new shard":
        (here / "own/new.tar").write_bytes((here / "own/00000.tar").read_bytes())
    else:
        (here / "own/00001.tar").unlink()
    with pytest.raises((ValueError, FileNotFoundError)) as found:
        Collection("own")
    words = str(found.value).rpartition("delete own.meta/manifest.json, then type: ")[2]
    command, *words = words.removeprefix("python -m imagen_lit.").split()
    assert command == "build_shards"
    (here / "own.meta/manifest.json").unlink()
    type_(*words)
    assert len(Collection("own")) == (4 if change == "a new shard" else 2)


@pytest.mark.parametrize(("count", "per_shard"), [(5, 20), (20, 5), (7, 5)])
def test_the_benchmark_makes_as_many_samples_as_it_is_told(
    tmp_path: Path, count: int, per_shard: int
) -> None:
    bench_data.make(tmp_path, count, per_shard, edge=16, width=4, tokens=2)
    assert sum(Collection(tmp_path / "ours").counts) == count == bench_data.theirs_raw(tmp_path)
    assert min(bench_data.start(tmp_path, 3)) > 0
    assert Collection(tmp_path / "many").counts == [min(count, per_shard)] * 3


def test_a_shard_that_is_cut_short_is_one_sentence_also_from_other_processes(here: Path) -> None:
    type_(*FOLDER, "folder=own", "per_shard=2")
    cut = here / "own/00001.tar"
    cut.write_bytes(cut.read_bytes()[:1024])
    (here / "own.meta/manifest.json").unlink()
    words = ["data/source=shards", "source.path=own", "workers=2"]
    done = subprocess.run(
        [sys.executable, "-m", "imagen_lit.build_shards", *words], capture_output=True, text=True
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "error: own/00001.tar is cut short" in done.stderr
