"""One bad row, whatever is wrong with it, is left out and counted; the others are samples."""

import csv
import io
import json
import math
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_world import jpeg

from imagen_lit.data import build
from imagen_lit.data.filter import Filter
from imagen_lit.data.hash_set import HashSet
from imagen_lit.data.shard_files import collection, shard, statistics
from imagen_lit.data.shard_files.tar_stream import read_samples
from imagen_lit.data.source.folder import Folder
from imagen_lit.data.source.table import Table

CAPTION, ROW, JSON = (
    "its caption is not UTF-8",
    "its row cannot be read",
    "its .json cannot be read",
)
OUT = "its path leads out of the table's folder"
DEEP = b"[" * 100_000 + b"]" * 100_000


def samples(source: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    left_out: Counter[str] = Counter()
    return list(build.samples(source, 0, len(source), left_out)), left_out


BESIDE = {  # a file beside an image in a folder
    "caption in latin-1": ("txt", b"caf\xe9", CAPTION),
    "empty caption": ("txt", b" \n", "it has no caption"),
    "caption without end": ("txt", b"x" * 70_000, "its caption is too long"),
    "json cut short": ("json", b'{"caption":', JSON),
    "json in latin-1": ("json", b'{"caption": "caf\xe9"}', JSON),
    "json too deep": ("json", b'{"caption": "x", "n":' + DEEP + b"}", JSON),
    "json without end": ("json", b'{"n":' + b"9" * 5000 + b"}", JSON),
    "json a list": ("json", b"[1, 2]", "its .json is not an object"),
    "half a surrogate": ("json", b'{"caption": "\\ud83d"}', CAPTION),
    "a novel": ("json", b'{"caption":"x","n":"' + b"x" * 2**20 + b'"}',
                "its metadata is too large"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "data", "reason"), BESIDE.values(), ids=BESIDE)
def test_a_bad_entry_of_a_folder_is_left_out_and_counted(
    tmp_path: Path, kind: str, data: bytes, reason: str
) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(jpeg(1))
        (tmp_path / f"{name}.txt").write_bytes(b"\xef\xbb\xbfgood")  # some editors begin so
    (tmp_path / "b.txt").unlink()
    (tmp_path / f"b.{kind}").write_bytes(data)
    usable, left_out = samples(Folder(str(tmp_path)))
    assert [s["caption"] for s in usable] == ["good", "good"] and left_out == {reason: 1}


PATHS = {
    "missing": ("gone.jpg", "its file is missing"),
    "a folder": (".", "its file is missing"),
    "empty": ("", "it has no image"),
    "out of the folder": ("../secret.jpg", OUT),
    "absolute": ("/etc/hostname", OUT),
    "too long": ("a" * 300 + ".jpg", "its path is not possible"),
    "a NUL": ("a\0.jpg", "its path is not possible"),
    "an address": ("ftp://a/b.jpg", "its image is an address, which only img2dataset fetches"),
}  # fmt: skip


def csv_of(folder: Path, *rows: bytes) -> Table:
    good = [b"ok.jpg,good,1"]
    lines = [b"\xef\xbb\xbfimage,caption,n", *good, *rows, *good]  # a spreadsheet begins so
    (folder / "t.csv").write_bytes(b"\n".join(lines) + b"\n")
    return Table(str(folder / "t.csv"))


def jsonl_of(folder: Path, *rows: bytes) -> Table:
    good = [b'{"image": "ok.jpg", "caption": "good", "n": 1}']
    (folder / "t.jsonl").write_bytes(b"\n".join([b"\xef\xbb\xbf" + good[0], *rows, *good]) + b"\n")
    return Table(str(folder / "t.jsonl"))


def parquet_of(folder: Path, *rows: dict[str, Any]) -> Table:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    good = {"image": "ok.jpg", "caption": "good"}
    parquet.write_table(pyarrow.Table.from_pylist([good, *rows, good]), folder / "t.parquet")
    return Table(str(folder / "t.parquet"))


def csv_cells(*cells: str) -> bytes:
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(cells)
    return file.getvalue().encode()


ROWS: dict[str, tuple[Callable[..., Table], Any, str]] = {
    "csv in latin-1": (csv_of, b"ok.jpg,caf\xe9,1", CAPTION),
    "csv too short": (csv_of, b"ok.jpg", "it has no caption"),
    "csv cell without end": (csv_of, b'ok.jpg,"' + b"x" * 200_000 + b'",1', ROW),
    "jsonl in latin-1": (jsonl_of, b'{"image": "ok.jpg", "caption": "caf\xe9"}', CAPTION),
    "jsonl without caption": (jsonl_of, b'{"image": "ok.jpg"}', "it has no caption"),
    "jsonl without image": (jsonl_of, b'{"caption": "x"}', "it has no image"),
    "jsonl with a number": (jsonl_of, b'{"image": "ok.jpg", "caption": 3}', "it has no caption"),
    "jsonl half a surrogate": (jsonl_of, b'{"image":"ok.jpg", "caption":"\\ud83d"}', CAPTION),
    "jsonl cut": (jsonl_of, b'{"image":', ROW),
    "jsonl a list": (jsonl_of, b"[1]", ROW),
    "jsonl too deep": (jsonl_of, b'{"n":' + DEEP + b"}", ROW),
    "jsonl number without end": (jsonl_of, b'{"n":' + b"9" * 5000 + b"}", ROW),
    "parquet null": (parquet_of, {"image": None, "caption": "x"}, "it has no image"),
    "parquet text": (parquet_of, {"image": "t.txt", "caption": "x"}, "it is no JPEG, PNG or WebP"),
}  # fmt: skip
for name, (path, why) in PATHS.items():
    ROWS[f"csv path {name}"] = (csv_of, csv_cells(path, "x", "1"), why)
    row = {"image": path, "caption": "x"}
    ROWS[f"jsonl path {name}"] = (jsonl_of, json.dumps(row).encode(), why)
    ROWS[f"parquet path {name}"] = (parquet_of, row, why)


@pytest.mark.parametrize(("write", "bad", "reason"), ROWS.values(), ids=ROWS)
def test_a_bad_row_of_a_table_is_left_out_and_counted(
    tmp_path: Path, write: Callable[..., Table], bad: Any, reason: str
) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg(0))
    folder = tmp_path / "album"
    folder.mkdir()
    (folder / "t.txt").write_text("words")
    (folder / "ok.jpg").write_bytes(jpeg(1))
    usable, left_out = samples(write(folder, bad))
    assert [s["caption"] for s in usable] == ["good", "good"] and left_out == {reason: 1}


def test_blank_lines_are_not_rows_and_extra_cells_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "ok.jpg").write_bytes(jpeg(1))
    assert len(jsonl_of(tmp_path, b"", b"  ")) == 2
    usable, left_out = samples(csv_of(tmp_path, b"ok.jpg,more,1,2,3"))
    assert [s["caption"] for s in usable] == ["good", "more", "good"] and not left_out
    shard.write(tmp_path / "set" / "0.tar", usable)


JSONS = {  # of the second sample in a tar, and which of its numbers count
    "cut short": (b'{"n":', {}),
    "not UTF-8": (b'{"n": 1, "s": "\xff"}', {}),
    "too deep": (b'{"n":' + DEEP + b"}", {}),
    "too deep, with an orientation": (b'{"Image Orientation":' + DEEP + b"}", {}),
    "a list": (b"[1, 2]", {}),
    "an unknown orientation": (b'{"n": 1, "exif": "{\\"Image Orientation\\": []}"}', {"n": 1}),
    "400 digits": (b'{"n": 1, "x":' + b"9" * 400 + b"}", {"n": 1}),
    "5000 digits": (b'{"x":' + b"9" * 5000 + b"}", {}),
    "wider than the world": (b'{"original_width": 1e300}', {"original_width": 1e300}),
    "less than nothing": (b'{"original_width": -4}', {"original_width": -4}),
    "names of ours": (b'{"file": 3, "stamp": 4, "names": 5, "numbers": 6}',
                      {"file": 3, "stamp": 4, "names": 5, "numbers": 6}),
    "paths as names": (b'{"../../evil": 3, "/abs": 4, "": 5}', {"../../evil": 3, "/abs": 4, "": 5}),
    "a NUL in a name": (b'{"a\\u0000b": 3, "a": 4}', {"a\0b": 3, "a": 4}),
    "half a surrogate": (b'{"\\ud800": 4}', {"\ud800": 4}),
    "too many names": (json.dumps({f"f{n}": n for n in range(60_000)}).encode(), {}),
}  # fmt: skip


@pytest.mark.parametrize(("data", "numbers"), JSONS.values(), ids=JSONS)
def test_a_broken_json_in_a_tar_is_ignored_and_harms_no_other_sample(
    tmp_path: Path, data: bytes, numbers: dict[str, float]
) -> None:
    path = tmp_path / "set" / "0.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as tar:
        for key, text in (("a", b'{"rated": 6}'), ("b", data)):
            for kind, content in (("jpg", jpeg(1)), ("txt", b"hi"), ("json", text)):
                info = tarfile.TarInfo(f"{key}.{kind}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    list(build.survey(path.parent, 1))
    for columns in (statistics.of_shard(path), statistics.of_shard(path)):  # computed, and read
        assert columns["width"].tolist() == [32, 32]
        more = {name: columns[name].tolist() for name in columns if name not in statistics.OWN}
        assert more.pop("rated") == pytest.approx([6, math.nan], nan_ok=True)
        assert more == {
            name: pytest.approx([math.nan, value], nan_ok=True) for name, value in numbers.items()
        }
        keep, _ = Filter(fields={"rated": [5, None]}).keep(columns, HashSet())
        assert keep.tolist() == [True, False]
    assert (
        len(list(read_samples(str(path)))) == collection.read_manifest(path.parent)["samples"] == 2
    )


def test_the_names_of_the_numbers_in_a_shard_are_limited() -> None:
    one = {f"a{n}": n for n in range(statistics.MAX_NAMES - 1)}
    many = [one, {"last": 1.0}, {"too": 1.0, "late": 2.0}]
    samples = ({"metadata": numbers, "caption": "x", "image": jpeg(1)} for numbers in many)
    columns = statistics.of_samples(samples)
    assert set(columns) - set(statistics.OWN) == {*one, "last"}
    assert all(len(column) == 3 for column in columns.values())
    assert np.isnan(columns["last"][[0, 2]]).all()
