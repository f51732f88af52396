"""What was found out is kept: given back as it was, or not at all."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from imagen_lit.data import found

ARRAYS = {
    "whole": np.arange(-3, 3, dtype=np.int64),
    "bits": np.array([[1, 2], [3, 255]], np.uint8),
    "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,  # not in the plain order of memory
    "none": np.zeros((0, 3), np.int64),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found.keep(tmp_path / "kept", [1, "state"], ARRAYS, {"said": "ä"})
    return tmp_path / "kept"


def test_what_is_kept_is_given_back(path: Path) -> None:
    arrays, texts = found.read(path, [1, "state"], tuple(ARRAYS))
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    assert texts["said"] == "ä"


def test_another_state_and_nothing_at_all_are_none(path: Path) -> None:
    assert found.read(path, [2, "state"], ["bits"]) is None
    assert found.read(path, [1, "state"], ["bits", "more"]) is None
    assert found.read(path.with_name("absent"), [1, "state"], []) is None
    save_file({"bits": ARRAYS["bits"]}, path)  # somebody else's file
    assert found.read(path, [1, "state"], ["bits"]) is None


def test_whatever_byte_is_damaged_nothing_wrong_is_given_back(path: Path) -> None:
    whole = path.read_bytes()
    for cut in (0, 4, 8, 100, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert found.read(path, [1, "state"], tuple(ARRAYS)) is None
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        if (read := found.read(path, [1, "state"], tuple(ARRAYS))) is not None:
            assert read[1]["said"] == "ä"
            for name, array in ARRAYS.items():
                np.testing.assert_array_equal(read[0][name], array)


def test_only_what_is_asked_for_is_read(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    begins = 8 + int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:begins])
    whole[begins + header["whole"]["data_offsets"][0]] ^= 1
    path.write_bytes(whole)
    assert found.read(path, [1, "state"], ["bits"]) is not None
    assert found.read(path, [1, "state"], ["whole"]) is None


def test_what_is_large_is_kept_without_a_second_copy_of_it_in_memory(tmp_path: Path) -> None:
    large = np.arange(1 << 23)
    tracemalloc.start()
    found.keep(tmp_path / "kept", 1, {"large": large}, {})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < large.nbytes / 8


def test_the_library_reads_what_is_kept(path: Path) -> None:
    arrays = load_file(path)
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
