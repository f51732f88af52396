"""A shard reads back what was written, and a damaged or foreign tar is an error in words."""

import errno
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import pytest
import webdataset
from tiny_world import jpeg, sample

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.data.build import survey
from imagen_lit.data.filter import Filter
from imagen_lit.data.loader import Data
from imagen_lit.data.shard_files import collection, index_cache, shard, shard_index, tar
from imagen_lit.data.shard_files.tar import LIMIT, TOO_LARGE, TWICE
from imagen_lit.data.shard_files.tar_stream import read_samples


@pytest.fixture
def tar_path(tmp_path: Path) -> Path:
    path = tmp_path / "set" / "00000.tar"
    shard.write(path, [sample(number) for number in range(5)])
    return path


def tar_of(path: Path, *members: tuple[str, bytes]) -> Path:
    """A tar made by the standard library, as anyone might make one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_a_shard_reads_back_what_was_written(tar_path: Path) -> None:
    opened = shard.Shard(tar_path)
    assert len(opened) == 5
    for row in range(5):
        expected = sample(row)
        assert opened.key(row) == expected["key"]
        assert opened.image(row) == expected["image"]
        assert opened.caption(row) == expected["caption"]
        assert opened.metadata(row) == expected["metadata"]


def test_webdataset_reads_our_shards(tar_path: Path) -> None:
    items = list(webdataset.WebDataset(str(tar_path), shardshuffle=False))
    assert [item["__key__"] for item in items] == [sample(n)["key"] for n in range(5)]
    assert all(item["jpg"] == jpeg(n) for n, item in enumerate(items))
    assert [item["txt"].decode() for item in items] == [sample(n)["caption"] for n in range(5)]


def test_the_same_samples_give_the_same_tar(tar_path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "00000.tar"
    shard.write(other, [sample(number) for number in range(5)])
    assert other.read_bytes() == tar_path.read_bytes()


def test_reading_an_indexed_shard_needs_no_tarfile_or_webdataset(
    tar_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard_index.index(tar_path)
    monkeypatch.setattr(tarfile, "open", lambda *_: pytest.fail("the tar was opened again"))
    assert shard.Shard(tar_path).caption(3) == sample(3)["caption"]


def test_a_changed_tar_is_indexed_again(tar_path: Path) -> None:
    shard_index.index(tar_path)
    shard.write(tar_path, [sample(number) for number in range(10, 13)])
    assert shard.Shard(tar_path).key(0) == sample(10)["key"]
    assert len(shard_index.index(tar_path).keys) == 3


def test_a_link_to_read_only_shards_makes_their_index_writable(
    tar_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    forbid(monkeypatch, index_cache.meta_folder(tar_path.parent))
    for _ in range(2):
        assert len(shard.Shard(tar_path)) == 5
    (warning,) = caplog.messages
    assert f"type ln -s {tar_path.parent} " in warning and "computed again every time" in warning
    link = tmp_path / "my own" / tar_path.parent.name
    link.parent.mkdir()
    link.symlink_to(tar_path.parent)
    assert len(shard.Shard(link / tar_path.name)) > 0
    assert len(caplog.messages) == 1
    assert (
        index_cache.meta_folder(link).is_dir()
        and not index_cache.meta_folder(tar_path.parent).exists()
    )


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nothing may be written into this folder; root, who runs tests, could."""

    def allowed(path: Path) -> AbstractContextManager[BinaryIO]:
        if path.parent == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return atomic_write(path)

    monkeypatch.setattr(index_cache, "atomic_write", allowed)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder and access(path, mode))


@pytest.mark.parametrize("surveyed", [True, False])
def test_read_only_shards_can_be_trained_on(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, surveyed: bool
) -> None:
    folder = make(6, 6)
    if surveyed:
        list(survey(folder, 1))
    before = {path: path.read_bytes() for path in folder.parent.rglob("*.*") if path.is_file()}
    forbid(monkeypatch, index_cache.meta_folder(folder))

    def keys() -> list[str]:
        bounds = Filter(caption_length=[None, 15], distinct_captions=True)
        data = Data(str(folder), "fake", 16, 4, validation=2, filter=bounds)
        return [key for batch in islice(data.train_dataloader(), 3) for key in batch["key"]]

    assert keys() == keys()
    after = {path: path.read_bytes() for path in folder.parent.rglob("*.*") if path.is_file()}
    assert before == after
    if surveyed:  # nothing is new, so nothing need be written
        assert list(survey(folder, 1)) == [(1, 2), (2, 2)]
        (index_cache.meta_folder(folder) / "manifest.json").unlink()
    with pytest.raises(PermissionError, match=f"type ln -s {folder} "):
        list(survey(folder, 1))


def test_a_broken_index_is_made_again(tar_path: Path) -> None:
    cache = index_cache.meta_folder(tar_path.parent) / "00000.index.safetensors"
    shard_index.index(tar_path)
    cache.write_bytes(cache.read_bytes()[:100])
    assert len(shard.Shard(tar_path)) == 5


def test_a_tar_cut_at_any_block_is_an_error(tar_path: Path) -> None:
    whole = tar_path.read_bytes()
    with tarfile.open(tar_path) as tar:
        last = tar.getmembers()[-1]
    end = last.offset_data + 512 * -(-last.size // 512)
    cuts = [*range(0, end + 1, 512), end + 512, end - 7]  # between members and inside them
    for cut in cuts:
        tar_path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="cut short"):
            shard_index.index(tar_path)
        with pytest.raises(ValueError, match="cut short"):
            list(read_samples(str(tar_path)))
    tar_path.write_bytes(whole[: end + 1024])  # the two blocks of zeros that end a tar
    assert len(shard_index.index(tar_path).keys) == len(list(read_samples(str(tar_path)))) == 5


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "a/b"])
def test_a_key_is_never_a_path(tmp_path: Path, name: str) -> None:
    path = tar_of(tmp_path / "x" / "0.tar", (f"{name}.jpg", jpeg(0)), (f"{name}.txt", b"hello"))
    assert shard.Shard(path).key(0) == name
    assert {p.name for p in tmp_path.rglob("*")} == {"x", "0.tar", "x.meta", "0.index.safetensors"}
    with pytest.raises(ValueError, match="cannot be written"):
        shard.write(tmp_path / "y" / "0.tar", [sample(0, key=name)])


def test_unknown_kinds_are_not_read_and_dots_in_keys_are_noticed(tmp_path: Path) -> None:
    path = tar_of(
        tmp_path / "x" / "0.tar", ("a.jpg", jpeg(0)), ("a.pyd", b"\x80code"), ("a.txt", b"hello")
    )
    opened = shard.Shard(path)
    assert (len(opened), opened.caption(0), opened.metadata(0)) == (1, "hello", {})
    dotted = tar_of(tmp_path / "y" / "0.tar", ("img.v2.jpg", jpeg(0)), ("img.v2.txt", b"hello"))
    with pytest.raises(ValueError, match=r"no samples\. Left out were: 1 it belongs to no sample"):
        list(survey(dotted.parent, 1))


def test_links_sparse_files_and_compressed_tars_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x" / "0.tar"
    path.parent.mkdir()
    for kind, link in ((tarfile.SYMTYPE, "/etc/passwd"), (tarfile.GNUTYPE_SPARSE, "")):
        with tarfile.open(path, "w") as tar:
            info = tarfile.TarInfo("a.jpg")
            info.type, info.linkname = kind, link
            tar.addfile(info)
        with pytest.raises(ValueError, match="not a plain file"):
            shard_index.index(path)
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("a.jpg"))
    with pytest.raises(ValueError, match="not a plain tar"):
        shard_index.index(path)


@pytest.mark.parametrize("mode", ["r:", "r|"])
def test_what_follows_the_end_of_a_tar_is_not_silently_lost(tmp_path: Path, mode: str) -> None:
    one = tar_of(tmp_path / "x" / "0.tar", ("a.jpg", jpeg(0)), ("a.txt", b"hi")).read_bytes()
    whole = tmp_path / "x" / "1.tar"
    for tail in (bytes(512), bytes(100_000)):  # some writers fill up blocks, more or fewer
        whole.write_bytes(one + tail)
        with whole.open("rb") as file:
            assert len(list(tar.members(whole, file, mode))) == 2
    for tail in (one, bytes(512) + one, b"x", bytes(5 << 20)):
        whole.write_bytes(one + tail)
        with whole.open("rb") as file, pytest.raises(ValueError, match="something follows its end"):
            list(tar.members(whole, file, mode))


PAIR = ("c.jpg", jpeg(1)), ("c.txt", b"hi")
STRAYS = {
    "a README": ("it belongs to no sample", ("README", b"x")),
    "a Mac's shadow": ("it belongs to no sample", ("._a.jpg", b"x")),
    "a .json alone": ("it belongs to no sample", ("c.json", b"{}")),
    "no caption": ("it has no caption", ("c.jpg", jpeg(1))),
    "no image": ("it has no image", ("c.txt", b"words")),
    "latin-1": ("its caption is not UTF-8", ("c.jpg", jpeg(1)), ("c.txt", b"caf\xe9")),
    "a novel": (TOO_LARGE[1], ("c.jpg", jpeg(1)), ("c.txt", b"x" * (LIMIT["txt"] + 1))),
    "two images": (TWICE, *PAIR, ("c.png", jpeg(0))),
    "two captions": (TWICE, *PAIR, ("c.txt", b"ho")),
    "a large .json": (TOO_LARGE[2], *PAIR, ("c.json", b" " * (LIMIT["json"] + 1))),
    "a large image": (TOO_LARGE[0], ("c.jpg", b"x" * (LIMIT["jpg"] + 1)), ("c.txt", b"hi")),
}


@pytest.mark.parametrize("first", [False, True], ids=["last", "first"])
@pytest.mark.parametrize(("reason", "strays"), [(r, s) for r, *s in STRAYS.values()], ids=STRAYS)
def test_non_samples_are_left_out_and_counted_in_files_and_streams(
    tmp_path: Path, reason: str, strays: list, first: bool
) -> None:
    good = [
        (f"{key}.{kind}", data) for key in "ab" for kind, data in (("jpg", jpeg(0)), ("txt", b"hi"))
    ]
    path = tar_of(tmp_path / "x" / "0.tar", *(strays + good if first else good + strays))
    list(survey(path.parent, 1))
    opened = shard.Shard(path)
    assert [opened.key(row) for row in range(len(opened))] == ["a", "b"]
    assert collection.read_manifest(path.parent)["shards"]["0"]["left_out"] == {reason: 1}
    assert [item["key"] for item in read_samples(str(path))] == ["a", "b"]


def test_the_same_key_twice_is_an_error_when_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unique"):
        shard.write(tmp_path / "x" / "0.tar", [sample(0), sample(0)])


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(tar_path: Path) -> None:
    before = tar_path.read_bytes()

    def samples() -> Iterator[dict]:
        yield sample(7)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        shard.write(tar_path, samples())
    assert tar_path.read_bytes() == before
    assert [path.name for path in tar_path.parent.iterdir()] == ["00000.tar"]


def test_the_leftover_of_a_killed_writer_is_removed_by_the_next(tmp_path: Path) -> None:
    if (child := os.fork()) == 0:
        with atomic_write(tmp_path / "file") as file:
            file.write(b"half")
            file.flush()
            os._exit(9)
    os.waitpid(child, 0)
    assert [path.suffix for path in tmp_path.iterdir()] == [".tmp"]
    with atomic_write(tmp_path / "file") as file:
        file.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_writing_another_file_does_not_list_the_folder_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with atomic_write(tmp_path / "0") as file:
        file.write(b"first")
    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, lambda *_: pytest.fail("looked at the folder"))
    with atomic_write(tmp_path / "1") as file:
        file.write(b"second")


def test_new_files_have_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        shard.write(tmp_path / "0.tar", [sample(0)])
    finally:
        os.umask(before)
    assert (tmp_path / "0.tar").stat().st_mode & 0o777 == 0o640


class TestCollection:
    def test_a_missing_shard_is_named(self, make: Callable[..., Path]) -> None:
        folder = make(3, 3, 3)
        (folder / "00001.tar").unlink()
        with pytest.raises(FileNotFoundError, match=r"2 of its 3 shards \(00001\.tar is missing"):
            collection.Collection(folder)

    def test_a_shard_with_other_samples_than_the_manifest_says_is_named(
        self, make: Callable[..., Path]
    ) -> None:
        folder = make(3, 3)
        shard.write(folder / "00001.tar", [sample(0)])
        with pytest.raises(ValueError, match=r"00001\.tar holds 1 sample where .* says 3"):
            collection.Collection(folder)

    def test_an_empty_folder_says_what_to_type(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"Type python -m imagen_lit\.build_shards"):
            collection.Collection(tmp_path / "nothing")

    def test_img2dataset_folders_are_read_as_they_are(self, tmp_path: Path) -> None:
        members = [("0000002.jpg", jpeg(2)), ("0000002.json", b'{"width": 32}')]
        members += [("0000002.txt", b"two"), ("0000001.jpg", jpeg(1))]
        members += [("0000001.json", b"{}"), ("0000001.txt", b"")]
        tar_of(tmp_path / "laion" / "00000.tar", *members)
        tar_of(tmp_path / "laion" / "00001.tar")  # every download failed
        for number, successes in ((0, 2), (1, 0)):
            stats = tmp_path / "laion" / f"0000{number}_stats.json"
            stats.write_text(f'{{"successes": {successes}}}')
        laion = collection.Collection(tmp_path / "laion")
        assert laion.counts == [2, 0]
        opened = laion.open(0)
        assert [opened.caption(row) for row in range(2)] == ["two", ""]
        assert opened.metadata(0) == {"width": 32}
        (tmp_path / "laion" / "00000_stats.json").write_text('{"successes": 3}')
        with pytest.raises(ValueError, match="holds 2 samples where 3 were written"):
            collection.Collection(tmp_path / "laion")

    def test_samples_of_img2dataset_may_be_left_out_but_not_missing(self, tmp_path: Path) -> None:
        members = [("a.jpg", jpeg(1)), ("a.txt", b"one"), ("b.jpg", jpeg(2))]
        stats = tar_of(tmp_path / "x" / "0.tar", *members).with_name("0_stats.json")
        stats.write_text('{"successes": 2}')
        assert collection.Collection(tmp_path / "x").counts == [1]
        stats.write_text('{"successes": 3}')
        with pytest.raises(ValueError, match="holds 1 sample where 3 were written"):
            collection.Collection(tmp_path / "x")

    def test_a_survey_compares_with_the_count_of_img2dataset(self, tmp_path: Path) -> None:
        members = [("a.jpg", jpeg(1)), ("a.txt", b"one"), ("b.jpg", jpeg(2))]
        stats = tar_of(tmp_path / "x" / "0.tar", *members).with_name("0_stats.json")
        stats.write_text('{"successes": 3}')
        with pytest.raises(ValueError, match="holds 1 sample where 3 were written"):
            list(survey(tmp_path / "x", 1))
        stats.write_text('{"successes": 2}')
        assert list(survey(tmp_path / "x", 1)) == [(1, 1)]

    @pytest.mark.parametrize("damaged", ["", "{}", "[]", '{"successes": "x"}', '{"succ'])
    def test_a_damaged_count_of_img2dataset_is_named(self, tmp_path: Path, damaged: str) -> None:
        path = tar_of(tmp_path / "x" / "0.tar", ("a.jpg", jpeg(1)), ("a.txt", b"one"))
        path.with_name("0_stats.json").write_text(damaged)
        with pytest.raises(ValueError, match=r"0_stats\.json does not say how many"):
            collection.Collection(tmp_path / "x")

    @pytest.mark.parametrize("damaged", ["", "{}", "[]", '{"shards": 3}', '{"shards": {"0": 1}}'])
    def test_a_damaged_manifest_is_named(self, make: Callable[..., Path], damaged: str) -> None:
        folder = make(3)
        (index_cache.meta_folder(folder) / "manifest.json").write_text(damaged)
        with pytest.raises(ValueError, match=r"manifest\.json is damaged.*data/source=shards"):
            collection.Collection(folder)
