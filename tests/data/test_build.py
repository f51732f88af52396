"""A source becomes shards: the same ones however the work was split or broken off."""

import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tiny_world import Source, sample

from imagen_lit.data import shard
from imagen_lit.data.build import build, survey
from imagen_lit.data.collection import Collection, read_manifest
from imagen_lit.data.transform import Unusable

IDENTITY = {"count": 10}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.tar")}


def made(folder: Path, count: int = 10, per_shard: int = 4, workers: int = 1) -> list:
    return list(build(Source(count), {"count": count}, folder, per_shard, workers))


def test_every_sample_is_written_once_and_in_order(tmp_path: Path) -> None:
    assert made(tmp_path / "set") == [(0, 3), (1, 3), (2, 3), (3, 3)]
    shards = Collection(tmp_path / "set")
    assert shards.counts == [4, 4, 2]
    keys = [shards.open(n).key(row) for n in range(3) for row in range(shards.counts[n])]
    assert keys == [sample(number)["key"] for number in range(10)]


def test_processes_write_the_same_shards_as_one(tmp_path: Path) -> None:
    made(tmp_path / "one"), made(tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_broken_off_and_begun_again_it_makes_the_same_shards(tmp_path: Path) -> None:
    made(tmp_path / "whole")
    broken = build(Source(10), IDENTITY, tmp_path / "set", 4, 1)
    list(islice(broken, 2))
    broken.close()
    with pytest.raises(FileNotFoundError, match=r"1 of its 3 shards \(00001\.tar is missing"):
        Collection(tmp_path / "set")
    kept = (tmp_path / "set" / "00000.tar").stat().st_mtime_ns
    assert made(tmp_path / "set") == [(1, 3), (2, 3), (3, 3)]
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")
    assert (tmp_path / "set" / "00000.tar").stat().st_mtime_ns == kept


def test_broken_off_before_the_manifest_was_complete_it_completes_it(tmp_path: Path) -> None:
    broken = build(Source(10), IDENTITY, tmp_path / "set", 4, 1)
    list(islice(broken, 4))  # all three are written
    broken.close()
    made(tmp_path / "set")
    assert list(survey(tmp_path / "set", 1)) == [(1, 3), (2, 3), (3, 3)]
    entries = read_manifest(tmp_path / "set")["shards"]
    sizes = {name: (tmp_path / "set" / f"{name}.tar").stat().st_size for name in entries}
    assert {name: entry["bytes"] for name, entry in entries.items()} == sizes


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    made(tmp_path / "set")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert made(tmp_path / "set") == [(3, 3)]
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_a_folder_of_another_source_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "set")
    before = contents(tmp_path / "set")
    with pytest.raises(ValueError, match="entries was 10, is 12"):
        made(tmp_path / "set", count=12)
    with pytest.raises(ValueError, match="per_shard was 4, is 5"):
        made(tmp_path / "set", per_shard=5)
    assert contents(tmp_path / "set") == before
    shard.write(tmp_path / "foreign" / "00000.tar", [sample(0)])
    with pytest.raises(ValueError, match="already holds shards of another origin"):
        made(tmp_path / "foreign")


@pytest.mark.parametrize("per_shard", [0, -5, "a"])
def test_shards_of_no_samples_are_refused(tmp_path: Path, per_shard: Any) -> None:
    with pytest.raises(ValueError, match=f"per_shard={per_shard}: expected a whole number"):
        made(tmp_path / "set", per_shard=per_shard)


def test_what_was_left_out_is_written_before_its_shard_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gaps(Source):
        def __getitem__(self, number: int) -> dict[str, Any]:
            if number % 2:
                raise Unusable("it is odd")
            return super().__getitem__(number)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    folder, replace = tmp_path / "set", os.replace
    with monkeypatch.context() as patch:
        shards = lambda a, b: killed() if str(b).endswith(".tar") else replace(a, b)  # noqa: E731
        patch.setattr(os, "replace", shards)
        with pytest.raises(KeyboardInterrupt):
            list(build(Gaps(4), IDENTITY, folder, 4, 1))
    assert "it is odd" in (shard.meta(folder) / "00000.left_out.json").read_text()
    list(build(Gaps(4), IDENTITY, folder, 4, 1))
    list(survey(folder, 1))
    assert read_manifest(folder)["shards"]["00000"]["left_out"] == {"it is odd": 2}
    (shard.meta(folder) / "00000.left_out.json").unlink()
    with pytest.raises(ValueError, match=r"2 samples of 4, and of 0 is known why .* delete it"):
        list(survey(folder, 1))


def test_a_tar_that_came_into_a_built_set_is_not_taken_in(tmp_path: Path) -> None:
    made(tmp_path / "set")
    shard.write(tmp_path / "set" / "foreign.tar", [sample(50)])
    with pytest.raises(ValueError, match=r"foreign\.tar is not in the manifest"):
        list(survey(tmp_path / "set", 1))
