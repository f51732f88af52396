"""A checkpoint on disk is absent or complete, and the newest good one is used."""

import errno
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
import torch

from imagen_lit.run import checkpoint

STATE = {
    "weight": torch.arange(5000.0),
    "images_seen": 7,
    "nested": [{"a": torch.ones(2)}, (1, "b")],
}


def save(run: Path, *images: int) -> None:
    for number in images:
        checkpoint.write(STATE | {"images_seen": number}, checkpoint.path(run, number))


def numbers(run: Path) -> list[int]:
    return [checkpoint.images(file) for file in checkpoint.saved(run)]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    save(tmp_path, 7)
    back = checkpoint.read(checkpoint.newest_good(tmp_path))
    assert torch.equal(back["weight"], STATE["weight"]) and back["nested"][1] == (1, "b")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_checkpoint_is_in_row_major_order(tmp_path: Path, asynchronous: bool) -> None:
    """Lightning hands a file on to FSDP's other ranks as bytes: theirs would come out permuted."""
    weight = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    writer = checkpoint.AtomicCheckpointIO(asynchronous)
    writer.save_checkpoint({"weight": weight}, checkpoint.path(tmp_path, 1))
    writer.teardown()
    back = checkpoint.read(checkpoint.path(tmp_path, 1))["weight"]
    assert back.is_contiguous() and torch.equal(back, weight)


def test_before_the_first_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert checkpoint.newest_good(tmp_path) is None


def test_one_changed_byte_anywhere_in_a_tensor_is_noticed(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    newest = checkpoint.path(tmp_path, 2)
    data = bytearray(newest.read_bytes())
    place = data.find(torch.arange(100.0, 110.0).numpy().tobytes())
    assert place > 0
    data[place] ^= 1
    newest.write_bytes(data)
    with pytest.warns(UserWarning, match="is damaged"):
        assert checkpoint.newest_good(tmp_path) == checkpoint.path(tmp_path, 1)


def test_any_wrong_bit_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    state, weight = checkpoint.path(tmp_path, 1), torch.arange(20.0)
    checkpoint.write({"weight": weight, "step": 3, "rest": [1.5, "b"]}, state)
    data, noticed = state.read_bytes(), 0
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        state.write_bytes(changed)
        if checkpoint.damage(state) is None:
            back = checkpoint.read(state)
            assert torch.equal(back.pop("weight"), weight)
            assert back == {"step": 3, "rest": [1.5, "b"]}
        else:
            noticed += 1
    assert noticed > len(data) / 4


def test_a_damaged_checkpoint_does_not_replace_a_good_one(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 9)
    checkpoint.path(tmp_path, 9).write_bytes(b"half")
    with pytest.warns(UserWarning, match="is damaged"):
        state = checkpoint.newest_good(tmp_path)
    assert state is not None
    checkpoint.set_aside_newer(tmp_path, checkpoint.images(state))
    save(tmp_path, 3)  # the run goes on
    checkpoint.prune(tmp_path, keep_last=2, keep_every=None)
    assert numbers(tmp_path) == [2, 3]
    assert checkpoint.path(tmp_path, 9).with_suffix(".damaged").read_bytes() == b"half"


def test_if_all_are_damaged_training_does_not_silently_restart(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    for state in checkpoint.saved(tmp_path):
        state.write_bytes(state.read_bytes()[:100])
    with (
        pytest.warns(UserWarning, match="is damaged") as warned,
        pytest.raises(ValueError, match=r"2 damaged.* draw with.* Restore one .* remove that fold"),
    ):
        checkpoint.newest_good(tmp_path)
    newest, oldest = (str(warning.message) for warning in warned)
    assert "the one before it is tried" in newest and "is tried" not in oldest


@pytest.mark.parametrize(
    ("keep_last", "keep_every", "remaining"),
    [
        (1, None, [90]),
        (3, None, [70, 80, 90]),
        (1, 30, [30, 60, 90]),
        (2, 25, [30, 50, 80, 90]),
        (1, 1, [10, 20, 30, 40, 50, 60, 70, 80, 90]),
    ],
)
def test_the_last_and_the_first_of_every_stretch_remain(
    tmp_path: Path, keep_last: int, keep_every: int | None, remaining: list[int]
) -> None:
    save(tmp_path, *range(10, 100, 10))
    checkpoint.prune(tmp_path, keep_last, keep_every)
    assert numbers(tmp_path) == remaining


def test_pruning_during_a_run_keeps_what_pruning_at_the_end_keeps(tmp_path: Path) -> None:
    for number in range(10, 100, 10):
        save(tmp_path, number)
        checkpoint.prune(tmp_path, 2, 25)
    assert numbers(tmp_path) == [30, 50, 80, 90]


def test_the_writing_thread_writes_the_state_of_the_moment_of_saving(tmp_path: Path) -> None:
    weight = torch.zeros(1000)
    writer = checkpoint.AtomicCheckpointIO(asynchronous=True)
    for number in range(1, 4):
        writer.save_checkpoint({"weight": weight}, checkpoint.path(tmp_path, number))
        weight += 1
    writer.teardown()
    for number in range(1, 4):
        state = checkpoint.read(checkpoint.path(tmp_path, number))
        assert torch.equal(state["weight"], torch.full((1000,), number - 1.0))


def test_an_error_of_the_writing_thread_is_raised_at_the_next_call(tmp_path: Path) -> None:
    (tmp_path / checkpoint.FOLDER).write_text("a file, where a folder is wanted")
    writer = checkpoint.AtomicCheckpointIO(asynchronous=True)
    writer.save_checkpoint(STATE, checkpoint.path(tmp_path, 1))
    with pytest.raises(OSError):
        writer.finish()
    writer.teardown()


def test_a_full_disk_costs_no_earlier_checkpoint(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)])
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        save(small, 1, 2)
        large = {"weight": torch.zeros(500_000)}
        with pytest.raises(OSError, match="No space left on device"):
            checkpoint.write(large, checkpoint.path(small, 3))
        assert numbers(small) == [1, 2]
        assert sorted(os.listdir(small / checkpoint.FOLDER)) == [
            f.name for f in checkpoint.saved(small)
        ]
        assert checkpoint.newest_good(small) == checkpoint.path(small, 2)
        save(small, 4)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_checkpoint_that_could_not_be_opened_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 1, 2)

    def refuse(*words: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(zipfile, "ZipFile", refuse)
    with pytest.raises(PermissionError):
        checkpoint.newest_good(tmp_path)


def test_half_written_files_are_removed_whatever_their_host(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    leftover = checkpoint.path(tmp_path, 3).with_name(".000000000003.ckpt.elsewhere.17.tmp")
    leftover.write_bytes(b"half")
    checkpoint.set_aside_newer(tmp_path, 1)
    assert not leftover.exists() and numbers(tmp_path) == [1]
    assert checkpoint.path(tmp_path, 2).with_suffix(".damaged").exists()


def test_the_first_checkpoint_after_each_asked_for_count_stays(tmp_path: Path) -> None:
    for number in range(10, 110, 10):
        save(tmp_path, number)
        checkpoint.prune(tmp_path, 1, None, keep_at=[25, 60, 900])
    assert numbers(tmp_path) == [30, 60, 100]
