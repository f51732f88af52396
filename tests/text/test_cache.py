"""The cache holds what the encoder returns, survives interruption, and is never another's."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from imagen_lit.data import sidecar
from imagen_lit.data.shard_files import shard
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.text import cache

WIDTH = 5
CAPTIONS = ["a cat", "two dogs on a hill", "a cat", "", "owl", "a very long tale of a cat", "owl"]


class Letters:
    """A stand-in encoder: a vector per letter, and a vector for the end."""

    name = "letters"

    def __init__(self, **identity: str) -> None:
        self.identity = {"weights_sha256": "1234", "layer": "-1", **identity}
        self.batches: list[list[str]] = []

    def encode(self, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        self.batches.append(captions)
        length = max(map(len, captions)) + 1
        tokens = torch.zeros(len(captions), length, WIDTH)
        mask = torch.zeros(len(captions), length, dtype=torch.bool)
        for row, caption in enumerate(captions):
            for place, letter in enumerate([*caption, "\0"]):
                tokens[row, place] = torch.tensor([ord(letter) + 0.1, place, row * 0, 1.0, -1.0])
                mask[row, place] = True
        return tokens, mask

    def lengths(self, captions: list[str]) -> list[int]:
        return [len(caption) + 1 for caption in captions]

    def fingerprint(self) -> dict[str, str]:
        return self.identity


@pytest.fixture
def shards(tmp_path: Path) -> Collection:
    folder = tmp_path / "set"
    for number in range(3):
        image = {"image": b"x", "extension": "jpg", "metadata": {}}
        captions = enumerate(CAPTIONS[number:])
        samples = [image | {"key": f"{number}-{n}", "caption": c} for n, c in captions]
        shard.write(folder / f"{number:05d}.tar", samples)
    return Collection(folder)


def fill(shards: Collection, folder: Path, encoder: Any = None, **options: Any) -> list[bool]:
    return [is_new for _, is_new in cache.fill(encoder or Letters(), shards, folder, **options)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("storage", ["bfloat16", "float32"])
def test_the_cache_holds_what_the_encoder_returns(
    shards: Collection, tmp_path: Path, storage: str
) -> None:
    assert fill(shards, tmp_path / "text", storage=storage) == [True] * 3
    for number, path in enumerate(shards.paths):
        file = sidecar.open_checked(
            tmp_path / "text" / f"{path.stem}.safetensors", shards.open(number)
        )
        for row, caption in enumerate(CAPTIONS[number:]):
            tokens, mask = Letters().encode([caption])
            expected = tokens[0][mask[0]].to(getattr(torch, storage)).float()
            assert torch.equal(file.row(row).float(), expected)


def test_what_is_finished_is_not_computed_twice(shards: Collection, tmp_path: Path) -> None:
    fill(shards, tmp_path / "text")
    before, encoder = contents(tmp_path / "text"), Letters()
    assert fill(shards, tmp_path / "text", encoder) == [False] * 3
    assert encoder.batches == []
    assert contents(tmp_path / "text") == before


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_resumed_cache_equals_the_uninterrupted_one(
    shards: Collection, tmp_path: Path, after: int
) -> None:
    fill(shards, tmp_path / "whole")

    class Interrupted(Letters):
        def encode(self, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
            if len(self.batches) == 2 * after + 1:  # within a shard: each takes several calls
                raise KeyboardInterrupt
            return super().encode(captions)

    with pytest.raises(KeyboardInterrupt):
        fill(shards, tmp_path / "text", Interrupted(), token_budget=30)
    assert len(contents(tmp_path / "text")) < 3 if (tmp_path / "text").exists() else after == 0
    fill(shards, tmp_path / "text")
    assert contents(tmp_path / "text") == contents(tmp_path / "whole")


def test_a_full_disk_leaves_nothing_half_written(
    shards: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            fill(shards, tmp_path / "text")
    assert contents(tmp_path / "text") == {}
    assert fill(shards, tmp_path / "text") == [True] * 3


def test_an_unwritable_folder_is_refused_before_the_work(
    shards: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Letters()
    fill(shards, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        with pytest.raises(PermissionError, match="set folder="):
            fill(shards, tmp_path / "text", encoder)
        assert fill(shards, tmp_path / "whole") == [False] * 3
    assert encoder.batches == [] and not (tmp_path / "text").exists()


def test_tasks_share_the_work(shards: Collection, tmp_path: Path) -> None:
    fill(shards, tmp_path / "whole")
    assert fill(shards, tmp_path / "text", task=1, tasks=2) == [True]
    assert fill(shards, tmp_path / "text", task=0, tasks=2) == [True, True]
    assert contents(tmp_path / "text") == contents(tmp_path / "whole")
    with pytest.raises(ValueError, match="numbered from 0"):
        fill(shards, tmp_path / "text", task=2, tasks=2)
    with pytest.raises(ValueError, match="token_budget=0 is not a whole number of 1 or more"):
        fill(shards, tmp_path / "text", token_budget=0)


@pytest.mark.parametrize("storage", ["bfloat16", "int8"])
def test_a_sidecar_made_by_another_process_is_not_overwritten(
    shards: Collection, tmp_path: Path, storage: str
) -> None:
    theirs: dict[str, bytes] = {}

    class Slow(Letters):
        def encode(self, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
            if not theirs:
                fill(shards, tmp_path / "text", storage=storage)
                theirs.update(contents(tmp_path / "text"))
            return super().encode(captions)

    if storage == "bfloat16":
        assert fill(shards, tmp_path / "text", Slow()) == [False] * 3
    else:
        with pytest.raises(ValueError, match="storage is 'int8' there, 'bfloat16' here"):
            fill(shards, tmp_path / "text", Slow())
    assert contents(tmp_path / "text") == theirs


def test_a_sidecar_that_was_cut_short_is_made_again(shards: Collection, tmp_path: Path) -> None:
    fill(shards, tmp_path / "text")
    whole = contents(tmp_path / "text")
    path = tmp_path / "text" / "00001.safetensors"
    path.write_bytes(whole[path.name][:-1])
    assert fill(shards, tmp_path / "text") == [False, True, False]
    assert contents(tmp_path / "text") == whole


@pytest.mark.parametrize("foreign", ["library", "damaged", "words", "zeros"])
def test_a_file_that_is_no_sidecar_is_left_alone(
    shards: Collection, tmp_path: Path, foreign: str
) -> None:
    fill(shards, tmp_path / "text")
    path = tmp_path / "text" / "00001.safetensors"
    if foreign == "library":
        save_file({"precious": torch.ones(3)}, path, {"format": "pt"})
    else:
        whole = path.read_bytes()
        other = {"damaged": whole + b"more", "words": b"precious", "zeros": bytes(100)}
        path.write_bytes(other[foreign])
    before = contents(tmp_path / "text")
    with pytest.raises(ValueError, match=f"{path.name} .*Move it elsewhere or delete it"):
        fill(shards, tmp_path / "text")
    assert contents(tmp_path / "text") == before


@pytest.mark.parametrize(
    ("change", "options", "difference"),
    [
        ({"weights_sha256": "5678"}, {}, "encoder.weights_sha256 is '1234' there, '5678' here"),
        ({"max_length": "64"}, {}, "encoder.max_length is absent there, '64' here"),
        ({}, {"storage": "float32"}, "storage is 'bfloat16' there, 'float32' here"),
    ],
)
def test_the_cache_of_another_encoder_is_refused_and_left_alone(
    shards: Collection, tmp_path: Path, change: dict, options: dict, difference: str
) -> None:
    fill(shards, tmp_path / "text")
    before = contents(tmp_path / "text")
    with pytest.raises(ValueError) as error:
        fill(shards, tmp_path / "text", Letters(**change), **options)
    assert difference in str(error.value) and f"Delete {tmp_path / 'text'}" in str(error.value)
    assert "layer" not in str(error.value)
    assert ("earlier versions did not" in str(error.value)) == ("absent" in difference)
    assert contents(tmp_path / "text") == before


def test_the_cache_of_other_captions_is_refused(shards: Collection, tmp_path: Path) -> None:
    fill(shards, tmp_path / "text")
    other = {"key": "0-0", "image": b"x", "extension": "jpg", "metadata": {}, "caption": "new"}
    shard.write(shards.paths[0], [other])
    with pytest.raises(ValueError, match="captions_sha256") as error:
        fill(Collection(shards.folder), tmp_path / "text")
    advice = f"Delete {tmp_path / 'text' / '00000.safetensors'} to replace it, then"
    assert advice in str(error.value), "and not what was encoded for the other shards"


def test_numbers_that_are_not_finite_are_refused(shards: Collection, tmp_path: Path) -> None:
    class Overflowing(Letters):
        def encode(self, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
            tokens, mask = super().encode(captions)
            return tokens * 1e38 * 1e38, mask

    with pytest.raises(ValueError, match="not finite"):
        fill(shards, tmp_path / "text", Overflowing())
    assert not (tmp_path / "text").exists()


def test_equal_captions_are_encoded_once_and_within_the_budget() -> None:
    encoder = Letters()
    rows = cache.embed(encoder, CAPTIONS, token_budget=40)
    captions = [caption for batch in encoder.batches for caption in batch]
    assert sorted(captions) == sorted(set(CAPTIONS))
    assert all(len(batch) * max(map(len, batch)) <= 40 for batch in encoder.batches)
    assert len(encoder.batches) > 1
    assert [len(row) for row in rows] == [len(caption) + 1 for caption in CAPTIONS]


def test_sorting_by_length_needs_less_padding() -> None:
    captions = [f"{n} " + "x" * (n * 7919 % 97) for n in range(300)]

    def padded_size(batches: Iterator[list[str]]) -> int:
        return sum(len(batch) * max(map(len, batch)) for batch in batches)

    real = sum(map(len, captions))
    plain = (captions[i : i + 32] for i in range(0, 300, 32))
    batches = cache.batches(captions, Letters().lengths, 32 * 100)
    assert padded_size(batches) < 1.3 * real < padded_size(plain)


def test_a_caption_longer_than_the_budget_is_encoded_alone() -> None:
    assert list(cache.batches(["x" * 50, "y", "z"], Letters().lengths, 10)) == [
        ["x" * 50],
        ["y", "z"],
    ]


def test_file_modes_follow_the_umask(shards: Collection, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        fill(shards, tmp_path / "text")
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "text").iterdir()}
    assert modes == {0o644}
