"""A malicious collection touches no file, runs nothing, and takes hardly any memory."""

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import warm
from PIL import Image
from tiny_world import jpeg

from imagen_lit.data import transform
from imagen_lit.data.shard_files import index_cache, shard, shard_index, statistics, tar
from imagen_lit.data.shard_files.tar_stream import read_samples
from imagen_lit.data.source.folder import Folder
from imagen_lit.data.source.table import Table


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.path}",)


def tar_of(path: Path, *files: tuple[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def good(key: str = "ok") -> list[tuple[str, bytes]]:
    return [(f"{key}.jpg", jpeg(1)), (f"{key}.txt", b"a thing")]


def pixel_bomb() -> bytes:
    """A PNG that unpacks to 40,000 x 40,000 pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    body = b"IDAT" + zlib.compress(bytes(10_000_000), 9)
    chunk = lambda d: struct.pack(">I", len(d) - 4) + d + struct.pack(">I", zlib.crc32(d))  # noqa: E731
    return b"\x89PNG\r\n\x1a\n" + chunk(head) + chunk(body) + chunk(b"IEND")


def sparse(path: Path) -> Path:
    """A GNU sparse member of ten gigabytes in half a kilobyte."""
    info = tarfile.TarInfo("x.jpg")
    info.type = tarfile.GNUTYPE_SPARSE
    info.size = 0
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:398], header[398:410] = b"%011o\0" % (10 << 30), b"%011o\0" % 0
    header[483:495] = b"%011o\0" % ((1 << 33) - 1)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(header) + bytes(1024))
    return path


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "pwned"


@pytest.mark.parametrize("kind", ["pyd", "pkl", "pickle", "pth", "cls.pkl", "pyd.gz", "npy"])
def test_pickles_in_every_guise_are_never_opened(tmp_path: Path, mark: Path, kind: str) -> None:
    bomb = pickle.dumps(Bomb(mark))
    data = gzip.compress(bomb) if kind.endswith("gz") else bomb
    path = tar_of(tmp_path / "set/00000.tar", *good(), (f"ok.{kind}", data))
    opened = shard.Shard(path)
    assert len(opened) == 1 and opened.caption(0) == "a thing"
    statistics.of_shard(path)
    assert len(list(read_samples(str(path)))) == 1
    assert not mark.exists()


def test_a_pickle_in_place_of_a_cache_file_is_only_unreadable(tmp_path: Path, mark: Path) -> None:
    path = tar_of(tmp_path / "set/00000.tar", *good())
    for name in ("index", "statistics"):
        file = index_cache.meta_folder(path.parent) / f"00000.{name}.safetensors"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(pickle.dumps(Bomb(mark)))
    assert len(shard.Shard(path)) == 1
    assert statistics.of_shard(path)["width"].tolist() == [32]
    assert not mark.exists()


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/../../x"])
def test_a_name_that_points_elsewhere_is_only_a_name(tmp_path: Path, name: str) -> None:
    path = tar_of(tmp_path / "set/00000.tar", (f"{name}.jpg", jpeg(0)), (f"{name}.txt", b"t"))
    before = sorted(tmp_path.rglob("*"))
    opened = shard.Shard(path)
    assert opened.image(0) == jpeg(0)
    new = set(tmp_path.rglob("*")) - set(before)
    assert new == {
        index_cache.meta_folder(path.parent),
        index_cache.meta_folder(path.parent) / "00000.index.safetensors",
    }


def run_and_measure(code: str, path: Path) -> tuple[str, float]:
    """Run code in a process of its own; its output, and by how many MiB it grew."""
    script = (
        "import sys, torch, numpy\n"
        "from imagen_lit.data import transform\n"
        "from imagen_lit.data.shard_files import shard_index, statistics\n"
        "from imagen_lit.data.shard_files.tar_stream import read_samples\n"
        "path = __import__('pathlib').Path(sys.argv[1])\n"
        # Not getrusage's, which begins with the peak of the process that started this one.
        "def peak(): return int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        f"before = peak()\ntry:\n    {code}\n"
        "except ValueError as error:\n    print(error)\nprint('grew', (peak() - before) / 1024)\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out, err = folder / "out", folder / "err"
        status = warm.wait(warm.script(script, [str(path)], folder, out, err))
        assert status == 0, err.read_text()
        output, _, growth = out.read_text().partition("grew")
    return output, float(growth)


READERS = {"index": "shard_index.index(path)", "stream": "list(read_samples(str(path)))"}


@pytest.mark.parametrize("code", READERS.values(), ids=READERS)
def test_a_sparse_member_is_refused(tmp_path: Path, code: str) -> None:
    output, growth = run_and_measure(code, sparse(tmp_path / "set/00000.tar"))
    assert "not a plain file" in output and growth < 200


@pytest.mark.parametrize("code", READERS.values(), ids=READERS)
def test_a_gzip_bomb_called_tar_is_refused(tmp_path: Path, code: str) -> None:
    path = tmp_path / "set/00000.tar"
    path.parent.mkdir()
    with gzip.open(path, "wb") as file:
        for _ in range(400):
            file.write(bytes(1 << 20))
    output, growth = run_and_measure(code, path)
    assert "plain tar" in output and growth < 200


@pytest.mark.parametrize("code", READERS.values(), ids=READERS)
def test_a_member_larger_than_any_image_is_refused(tmp_path: Path, code: str) -> None:
    path = tar_of(tmp_path / "set/00000.tar", *good())
    data = bytearray(path.read_bytes())
    data[124:136] = b"%011o\0" % (7 << 30)  # the header lies about its size
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    path.write_bytes(bytes(data))
    output, growth = run_and_measure(code, path)
    assert f"bytes; at most {1 << 30} are allowed" in output and growth < 200


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A member's header that lies about its size, in base 256."""
    info = tarfile.TarInfo(name)
    info.type = kind
    data = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    data[124:136] = (b"\xff" if size < 0 else b"\x80") + size.to_bytes(12, "big", signed=True)[1:]
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data)
    return bytes(data)


LIES = {
    f"{name} {size}": header(name, size, kind)
    for name, kind in (
        ("zz.bin", tarfile.REGTYPE),
        ("zz.jpg", tarfile.REGTYPE),
        ("zz", tarfile.DIRTYPE),
        ("longname", tarfile.GNUTYPE_LONGNAME),
        ("longlink", tarfile.GNUTYPE_LONGLINK),
        ("pax", tarfile.XHDTYPE),
        ("global", tarfile.XGLTYPE),
        ("unknown", b"Z"),
    )
    for size in (-512, -1024, 1 << 36, 1 << 62)
}


@pytest.mark.parametrize("mode", ["r:", "r|"])
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.timeout(20)  # without the check they are read for ever
def test_a_header_that_lies_about_its_size_is_refused(
    tmp_path: Path, lie: bytes, mode: str
) -> None:
    path = tar_of(tmp_path / "set/00000.tar", *good())
    data = path.read_bytes()
    with tarfile.open(path) as whole:
        last = whole.getmembers()[-1].offset_data + 512
    path.write_bytes(data[:last] + lie + bytes(10_240))
    with (
        path.open("rb") as file,
        pytest.raises(ValueError, match=r"short|bytes; at most \d+ are|plain"),
    ):
        list(tar.members(path, file, mode))


def test_pixel_bombs_and_eps_called_jpg_cost_nothing_and_are_unreadable(
    tmp_path: Path,
) -> None:
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/tmp/x) (w) file\n"
    files = [("a.png", pixel_bomb()), ("a.txt", b"t"), ("b.jpg", eps), ("b.txt", b"t")]
    path = tar_of(tmp_path / "set/00000.tar", *files, *good())
    output, growth = run_and_measure("print(statistics.of_shard(path)['width'].tolist())", path)
    assert "[0, 0, 32]" in output and growth < 200


LARGE = {  # as many pixels as each format may have, in what takes most memory to decode
    "PNG": ("RGBA", 3990, {"compress_level": 1}),
    "WEBP": ("RGBA", 2990, {"lossless": True, "method": 0}),
    "JPEG": ("RGB", 5650, {"progressive": True, "subsampling": 0}),
}


@pytest.mark.parametrize(("kind", "mode", "edge", "how"), [(k, *v) for k, v in LARGE.items()])
def test_the_largest_image_of_each_format_takes_little_memory(
    tmp_path: Path, kind: str, mode: str, edge: int, how: dict
) -> None:
    file = io.BytesIO()
    Image.new(mode, (edge, edge), "red").save(file, kind, **how)
    path = tmp_path / "large"
    path.write_bytes(file.getvalue())
    output, growth = run_and_measure(
        "print(tuple(transform.decode(path.read_bytes(), 64).shape))", path
    )
    assert "(3, " in output and growth < 200
    with pytest.raises(transform.Unusable, match=f"more than [0-9]* in a {kind}"):
        file = io.BytesIO()
        Image.new("1" if kind == "PNG" else "RGB", (edge + 40, edge + 40)).save(file, kind)
        transform.decode(file.getvalue(), 64)


def test_a_jpeg_of_endless_scans_costs_no_time() -> None:
    file = io.BytesIO()
    Image.effect_noise((512, 512), 50).save(file, "JPEG", progressive=True, quality=30)
    whole = file.getvalue()
    assert transform.size(whole) == (512, 512)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    bomb = whole[:-2] + last * 400 + whole[-2:]
    with pytest.raises(transform.Unusable, match=r"40[0-9] scans, more than 100"):
        transform.decode(bomb, 64)


def large_tar(path: Path, count: int, *kinds: tuple[str, bytes]) -> Path:
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        for number in range(count):
            for kind, data in kinds:
                info = tarfile.TarInfo(f"{number}.{kind}")
                info.size = len(data)
                file.write(info.tobuf() + data + bytes(-len(data) % 512))
        file.write(bytes(1024))
    return path


def peak_memory(work: Callable[[], object]) -> int:
    """The most bytes that Python held meanwhile."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("mode", ["r:", "r|"])
def test_past_members_are_not_kept_in_memory(tmp_path: Path, mode: str) -> None:
    path = large_tar(tmp_path / "set/00000.tar", 20_000, ("bin", b""))
    with path.open("rb") as file:
        assert peak_memory(lambda: sum(1 for _ in tar.members(path, file, mode))) < 3 << 20


def test_captions_are_not_kept_in_memory(tmp_path: Path) -> None:
    kinds = ("jpg", b"\xff\xd8\xff"), ("txt", b"x" * 60_000)
    path = large_tar(tmp_path / "set/00000.tar", 1_000, *kinds)
    assert peak_memory(lambda: shard_index.index(path)) < 10 << 20


@pytest.mark.parametrize("source", [Folder, Table])
@pytest.mark.parametrize("large", ["a.jpg", "a.txt", "a.json"])
def test_a_file_of_a_gigabyte_is_left_out_unread(
    tmp_path: Path, source: type[Folder | Table], large: str
) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(0))
    (tmp_path / "t.csv").write_text(f"image,caption\n{large},words\n")
    with (tmp_path / large).open("wb") as file:
        file.truncate(1 << 30)
    entries = source(str(tmp_path / "t.csv" if source is Table else tmp_path))

    def entry() -> None:
        with pytest.raises(transform.Unusable, match=r"too large|too long"):
            entries[0]

    assert peak_memory(entry) < 10 << 20


def test_sixty_thousand_numbers_in_one_json_cost_nothing(tmp_path: Path) -> None:
    numbers = json.dumps({f"f{n}": n for n in range(60_000)}).encode()
    files = [pair for n in range(200) for pair in good(f"a{n}")]
    path = tar_of(tmp_path / "set/00000.tar", ("a0.json", numbers), *files)
    output, growth = run_and_measure("print(len(statistics.of_shard(path)))", path)
    assert output.startswith("5\n") and growth < 100


def test_the_memory_measurement_notices_800_mib() -> None:
    """The measurement itself: a process that takes 800 MiB is noticed."""
    _, growth = run_and_measure("x = numpy.ones(800 << 17)", Path("/"))
    assert growth > 200
