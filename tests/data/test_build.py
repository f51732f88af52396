"""A source becomes shards: the same ones however the work was split or interrupted."""

import os
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tiny_world import Source, sample

from imagen_lit.data.build import build, seconds_left, survey
from imagen_lit.data.shard_files import index_cache, shard
from imagen_lit.data.shard_files.collection import Collection, read_manifest
from imagen_lit.data.transform import Unusable

IDENTITY = {"count": 10}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.tar")}


def build_all(folder: Path, count: int = 10, per_shard: int = 4, workers: int = 1) -> list:
    return list(build(Source(count), {"count": count}, folder, per_shard, workers))


def test_every_sample_is_written_once_and_in_order(tmp_path: Path) -> None:
    assert build_all(tmp_path / "set") == [(0, 3), (1, 3), (2, 3), (3, 3)]
    shards = Collection(tmp_path / "set")
    assert shards.counts == [4, 4, 2]
    keys = [shards.open(n).key(row) for n in range(3) for row in range(shards.counts[n])]
    assert keys == [sample(number)["key"] for number in range(10)]


def test_processes_write_the_same_shards_as_one(tmp_path: Path) -> None:
    build_all(tmp_path / "one"), build_all(tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_interrupted_build_continues_with_the_same_shards(tmp_path: Path) -> None:
    build_all(tmp_path / "whole")
    interrupted = build(Source(10), IDENTITY, tmp_path / "set", 4, 1)
    list(islice(interrupted, 2))
    interrupted.close()
    with pytest.raises(FileNotFoundError, match=r"1 of its 3 shards \(00001\.tar is missing"):
        Collection(tmp_path / "set")
    before = (tmp_path / "set" / "00000.tar").stat().st_mtime_ns
    assert build_all(tmp_path / "set") == [(1, 3), (2, 3), (3, 3)]
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")
    assert (tmp_path / "set" / "00000.tar").stat().st_mtime_ns == before


def test_a_build_interrupted_before_its_manifest_completes_it(tmp_path: Path) -> None:
    interrupted = build(Source(10), IDENTITY, tmp_path / "set", 4, 1)
    list(islice(interrupted, 4))  # all three are written
    interrupted.close()
    build_all(tmp_path / "set")
    assert list(survey(tmp_path / "set", 1)) == [(1, 3), (2, 3), (3, 3)]
    entries = read_manifest(tmp_path / "set")["shards"]
    sizes = {name: (tmp_path / "set" / f"{name}.tar").stat().st_size for name in entries}
    assert {name: entry["bytes"] for name, entry in entries.items()} == sizes


def test_existing_shards_are_not_touched(tmp_path: Path) -> None:
    build_all(tmp_path / "set")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert build_all(tmp_path / "set") == [(3, 3)]
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_a_folder_of_another_source_is_refused(tmp_path: Path) -> None:
    build_all(tmp_path / "set")
    before = contents(tmp_path / "set")
    with pytest.raises(ValueError, match="entries is 10 there, 12 here"):
        build_all(tmp_path / "set", count=12)
    with pytest.raises(ValueError, match="per_shard is 4 there, 5 here"):
        build_all(tmp_path / "set", per_shard=5)
    assert contents(tmp_path / "set") == before
    shard.write(tmp_path / "foreign" / "00000.tar", [sample(0)])
    with pytest.raises(ValueError, match="already holds shards of another origin"):
        build_all(tmp_path / "foreign")


@pytest.mark.parametrize("per_shard", [0, -5, "a"])
def test_shards_of_no_samples_are_refused(tmp_path: Path, per_shard: Any) -> None:
    with pytest.raises(ValueError, match=f"per_shard={per_shard!r} is not a whole number"):
        build_all(tmp_path / "set", per_shard=per_shard)


def test_the_counts_of_a_shard_are_written_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gaps(Source):
        def __getitem__(self, number: int) -> dict[str, Any]:
            if number % 2:
                raise Unusable("it is odd")
            return super().__getitem__(number)

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    folder, replace = tmp_path / "set", os.replace
    with monkeypatch.context() as patch:
        shards = lambda a, b: kill() if str(b).endswith(".tar") else replace(a, b)  # noqa: E731
        patch.setattr(os, "replace", shards)
        with pytest.raises(KeyboardInterrupt):
            list(build(Gaps(4), IDENTITY, folder, 4, 1))
    assert "it is odd" in (index_cache.meta_folder(folder) / "00000.left_out.json").read_text()
    list(build(Gaps(4), IDENTITY, folder, 4, 1))
    list(survey(folder, 1))
    assert read_manifest(folder)["shards"]["00000"]["left_out"] == {"it is odd": 2}
    (index_cache.meta_folder(folder) / "00000.left_out.json").unlink()
    with pytest.raises(ValueError, match=r"2 samples of 4 entries, but 0 .* left out\. Delete it"):
        list(survey(folder, 1))


def test_a_foreign_tar_in_a_built_folder_is_refused(tmp_path: Path) -> None:
    build_all(tmp_path / "set")
    shard.write(tmp_path / "set" / "foreign.tar", [sample(50)])
    with pytest.raises(ValueError, match=r"foreign\.tar is not in the manifest"):
        list(survey(tmp_path / "set", 1))


def test_the_time_that_missing_shards_will_take_is_measured_from_a_few_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    class Slow(list[dict[str, Any]]):
        def __getitem__(self, number: int) -> dict[str, Any]:  # type: ignore[override]
            now[0] += 2
            return {}

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    source = Slow([{}] * 250)
    assert seconds_left(source, tmp_path, 100, workers=2, entries=10) == 250 * 2 / 2
    for number, left in ((0, 150), (2, 100), (1, 0)):
        (tmp_path / f"{number:05d}.tar").touch()
        assert seconds_left(source, tmp_path, 100, workers=0, entries=200) == left * 2
