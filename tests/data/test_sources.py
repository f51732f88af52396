"""A folder or a table becomes samples; other entries are left out for a reason, and counted."""

import csv
import json
import os
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_world import jpeg

from imagen_lit.data import build
from imagen_lit.data.shard_files import index_cache, tar
from imagen_lit.data.shard_files.collection import Collection, read_manifest
from imagen_lit.data.source.folder import Folder
from imagen_lit.data.source.parquet import Parquet
from imagen_lit.data.source.table import Table
from imagen_lit.data.transform import Unusable

pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    (folder / "trip").mkdir(parents=True)
    for number, name in enumerate(("b.jpg", "a.jpeg", "trip/c.JPG", "trip/bare.jpg", "odd.png")):
        (folder / name).write_bytes(jpeg(number))
    (folder / "b.txt").write_text("a bee \n")
    (folder / "a.json").write_text(json.dumps({"caption": "an ant", "aesthetic": 6.5}))
    (folder / "trip/c.txt").write_text("a cat")
    (folder / "odd.txt").write_text("a jpeg that is called png")
    (folder / "broken.webp").write_bytes(b"not an image")
    (folder / "broken.txt").write_text("words")
    (folder / "notes.txt").write_text("belongs to nothing")
    return folder


def samples(source: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    left_out: Counter[str] = Counter()
    return list(build.samples(source, 0, len(source), left_out)), left_out


def test_a_folder_gives_its_captioned_images_in_a_fixed_order(album: Path) -> None:
    usable, left_out = samples(Folder(str(album)))
    assert [(s["metadata"]["path"], s["caption"], s["extension"]) for s in usable] == [
        ("a.jpeg", "an ant", "jpg"),
        ("b.jpg", "a bee", "jpg"),
        ("odd.png", "a jpeg that is called png", "jpg"),
        ("trip/c.JPG", "a cat", "jpg"),
    ]
    assert usable[0]["metadata"]["aesthetic"] == 6.5
    assert left_out == {"it has no caption": 1, "it is no JPEG, PNG or WebP": 1}
    assert len({s["key"] for s in usable}) == 4


def test_linked_folders_are_read_and_none_twice(tmp_path: Path) -> None:
    (tmp_path / "album/trip").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for name in ("album/a.jpg", "album/trip/b.jpg", "elsewhere/c.jpg"):
        (tmp_path / name).write_bytes(jpeg(1))
    (tmp_path / "album/linked").symlink_to("../elsewhere")
    (tmp_path / "album/trip/back").symlink_to("..")
    files = Folder(str(tmp_path / "album")).files
    assert files == ["a.jpg", "linked/c.jpg", "trip/b.jpg"]


ROWS = [
    {"image": "b.jpg", "caption": "a bee", "score": 3},
    {"image": "a.jpeg", "caption": "an ant", "score": 7},
    {"image": "gone.jpg", "caption": "a ghost", "score": 1},
    {"image": "trip/c.JPG", "caption": "  ", "score": 1},
]


def as_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with (path / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path / "table.csv"


def as_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    (path / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path / "table.jsonl"


def as_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    from pyarrow import Table as Arrow
    from pyarrow import parquet

    table = Arrow.from_pylist(rows)
    parquet.write_table(table, path / "table.parquet", row_group_size=2)
    return path / "table.parquet"


@pytest.mark.parametrize("write", [as_csv, as_jsonl, as_parquet])
def test_a_table_of_paths_gives_the_same_samples_in_every_format(
    album: Path, write: Callable[..., Path]
) -> None:
    source = Table(str(write(album, ROWS)))
    for table in (source, pickle.loads(pickle.dumps(source))):  # it travels to other processes
        usable, left_out = samples(table)
        assert [(s["caption"], s["image"]) for s in usable] == [
            ("a bee", (album / "b.jpg").read_bytes()),
            ("an ant", (album / "a.jpeg").read_bytes()),
        ]
        assert [float(s["metadata"]["score"]) for s in usable] == [3, 7]
        assert left_out == {"its file is missing": 1, "it has no caption": 1}


@pytest.mark.parametrize("nested", [False, True], ids=["bytes", "hugging-face"])
def test_a_table_of_bytes_needs_no_files(tmp_path: Path, nested: bool) -> None:
    def cell(number: int) -> Any:
        return {"bytes": jpeg(number), "path": None} if nested else jpeg(number)

    rows = [{"image": cell(n), "caption": f"number {n}"} for n in range(5)]
    usable, left_out = samples(Table(str(as_parquet(tmp_path, rows))))
    assert [s["image"] for s in usable] == [jpeg(n) for n in range(5)] and not left_out


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("nowhere.csv", {}, "There is no table"),
        ("table.csv", {"caption": "text"}, "has no column 'text', it has image, caption, score"),
        ("a.jpeg", {}, "not a .csv, .jsonl or .parquet file"),
        ("cut.parquet", {}, "cannot be read as Parquet"),
        ("addresses.csv", {}, "img2dataset, then set data/source=shards source.path="),
    ],
)
def test_an_unusable_table_is_named(album: Path, path: str, options: dict, message: str) -> None:
    as_csv(album, ROWS)
    (album / "cut.parquet").write_bytes(as_parquet(album, ROWS).read_bytes()[:300])
    (album / "addresses.csv").write_text("image,caption\nhttps://example.org/a.jpg,x\n")
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        Table(str(album / path), **options)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "t.csv",
            b"",
            r"is empty: it holds no text\. Write the line image,caption and one line per image",
        ),
        (
            "t.csv",
            b"\xef\xbb\xbf\r\n",
            r"is empty: it holds no text\. Write the line image,caption",
        ),
        ("t.jsonl", b" \n", r"is empty: it holds no text\. Write one JSON object per image"),
        ("t.csv", b"image,caption\n", r"has no row below its first line\. Write the line image,"),
        ("t.jsonl", b"[1]\n", r"has no line that is a JSON object\. Write one JSON object per"),
        ("t.csv", "image,caption\na.jpeg,x\n".encode("utf-16"), r"is UTF-16, by .* only UTF-8 is"),
        ("t.csv", "image,caption\na.jpeg,x\n".encode("utf-32"), r"is UTF-32, .* save it as UTF-8"),
        ("t.jsonl", "{}".encode("utf-16-le"), r"holds zero bytes, .* Convert it: save it as UTF-8"),
        ("t.csv", b"image;caption\na.jpeg;x, y\n", r"has ';' between its columns.*only commas"),
        ("t.csv", b"image\tcaption\na.jpeg\tx\n", r"has '\\t' between its columns.*with commas"),
    ],
)
def test_a_table_of_another_program_is_named_with_what_is_read(
    album: Path, name: str, content: bytes, message: str
) -> None:
    (album / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Table(str(album / name))


def test_a_semicolon_in_a_column_that_is_not_needed_is_no_separator(album: Path) -> None:
    (album / "t.csv").write_text("image,caption,a;b\na.jpeg,x,1\n")
    assert len(Table(str(album / "t.csv"))) == 1


def test_a_sample_that_is_too_large_is_left_out(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tar.LIMIT, "jpg", 500)
    (album / "a.jpeg").write_bytes(jpeg(1) + bytes(1000))
    assert samples(Folder(str(album)))[1]["its file is too large"] >= 1


def test_the_manifest_counts_what_was_left_out(album: Path, tmp_path: Path) -> None:
    target = tmp_path / "set"
    for _ in range(2):  # the second time nothing is written, and the manifest stays
        list(build.build(Folder(str(album)), {"a": 1}, target, 2, 1))
        list(build.survey(target, 1))
        manifest = read_manifest(target)
        assert manifest["samples"] == 4 == sum(Collection(target).counts)
        reasons = Counter()
        for entry in manifest["shards"].values():
            reasons.update(entry["left_out"])
        assert reasons == {"it has no caption": 1, "it is no JPEG, PNG or WebP": 1}


def test_few_rows_of_a_parquet_file_are_in_memory_and_none_for_its_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"image": bytes(10_000), "caption": f"number {n}"} for n in range(100)]
    path = as_parquet(tmp_path, rows)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)  # one group
    with monkeypatch.context() as patch:
        patch.setattr(Parquet, "row", lambda *_: pytest.fail("a row was read"))
        table = Table(str(path))
        assert len(table) == 100 and table.state() == index_cache.file_stamp(path)
    opened = Parquet(path)
    for number in (0, 1, 50, 99, 3, 40):
        assert opened.row(number)["caption"] == f"number {number}"
        assert len(opened._batch) <= 16


@pytest.mark.parametrize("write", [as_csv, as_jsonl, as_parquet])
def test_a_change_of_an_image_that_a_table_names_is_noticed(
    album: Path, write: Callable[..., Path]
) -> None:
    path = str(write(album, ROWS))
    before = Table(path).state()
    assert Table(path).state() == before
    os.utime(album / "trip/c.JPG", (1, 1))
    assert Table(path).state() != before


@pytest.mark.parametrize("changed", ["b.txt", "b.jpg", "a.json", "table.csv"])
def test_a_source_that_has_changed_is_refused(album: Path, tmp_path: Path, changed: str) -> None:
    as_csv(album, ROWS)

    def build_all() -> list:
        table = changed == "table.csv"
        source = Table(str(album / changed)) if table else Folder(str(album))
        return list(build.build(source, {"a": 1}, tmp_path / "set", 2, 1))

    assert build_all() and len(build_all()) == 1, "unchanged, it continues"
    before = {path: path.read_bytes() for path in (tmp_path / "set").iterdir()}
    file = album / changed
    file.write_bytes(file.read_bytes().replace(b"bee", b"BEE"))  # as long, and as many entries
    with pytest.raises(ValueError, match="its files have changed since"):
        build_all()
    assert before == {path: path.read_bytes() for path in (tmp_path / "set").iterdir()}


def test_an_unusable_entry_says_why(album: Path) -> None:
    source = Folder(str(album))
    with pytest.raises(Unusable, match="no caption"):
        source[source.files.index("trip/bare.jpg")]
