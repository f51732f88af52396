"""The index cache returns what was written into it, or nothing."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from imagen_lit.data.shard_files import index_cache

ARRAYS = {
    "whole": np.arange(-3, 3, dtype=np.int64),
    "bits": np.array([[1, 2], [3, 255]], np.uint8),
    "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,  # not in the plain order of memory
    "none": np.zeros((0, 3), np.int64),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    index_cache.write(tmp_path / "cache", [1, "state"], ARRAYS, {"text": "ä"})
    return tmp_path / "cache"


def test_what_was_written_is_read_back(path: Path) -> None:
    arrays, texts = index_cache.read(path, [1, "state"], tuple(ARRAYS))
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    assert texts["text"] == "ä"


def test_another_stamp_name_or_file_reads_as_nothing(path: Path) -> None:
    assert index_cache.read(path, [2, "state"], ["bits"]) is None
    assert index_cache.read(path, [1, "state"], ["bits", "more"]) is None
    assert index_cache.read(path.with_name("absent"), [1, "state"], []) is None
    save_file({"bits": ARRAYS["bits"]}, path)  # somebody else's file
    assert index_cache.read(path, [1, "state"], ["bits"]) is None


def test_a_damaged_byte_never_gives_a_wrong_array(path: Path) -> None:
    whole = path.read_bytes()
    for cut in (0, 4, 8, 100, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert index_cache.read(path, [1, "state"], tuple(ARRAYS)) is None
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        if (cached := index_cache.read(path, [1, "state"], tuple(ARRAYS))) is not None:
            assert cached[1]["text"] == "ä"
            for name, array in ARRAYS.items():
                np.testing.assert_array_equal(cached[0][name], array)


def test_only_the_requested_arrays_are_read(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:start])
    whole[start + header["whole"]["data_offsets"][0]] ^= 1
    path.write_bytes(whole)
    assert index_cache.read(path, [1, "state"], ["bits"]) is not None
    assert index_cache.read(path, [1, "state"], ["whole"]) is None


def test_a_large_array_is_written_without_a_second_copy_of_it(tmp_path: Path) -> None:
    large = np.arange(1 << 23)
    tracemalloc.start()
    index_cache.write(tmp_path / "cache", 1, {"large": large}, {})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < large.nbytes / 8


def test_the_library_reads_our_cache_files(path: Path) -> None:
    arrays = load_file(path)
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
