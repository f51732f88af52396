"""Processes that run one command together share its work completely, and one of them finishes."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from test_device import machine

from imagen_lit.basics import process_share
from imagen_lit.basics.process_share import Share, finishing, here, own_device, working


def torchrun(rank: int, count: int) -> dict[str, str]:
    return {"RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": str(rank)}


def srun(rank: int, count: int) -> dict[str, str]:
    step = {"SLURM_PROCID": str(rank), "SLURM_STEP_NUM_TASKS": str(count)}
    return step | {"SLURM_LOCALID": str(rank), "SLURM_NTASKS": "8"}


@pytest.mark.parametrize("start", [torchrun, srun])
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_item_is_in_exactly_one_share(start: object, count: int) -> None:
    shares = [here(start(rank, count)).of(range(7)) for rank in range(count)]
    assert sorted(item for share in shares for item in share) == list(range(7))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_process_that_was_started_alone_does_everything() -> None:
    in_a_batch_script = {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}
    for env in ({}, {"RANK": "3"}, in_a_batch_script):
        assert here(env) == Share(0, 1)
    assert here(srun(1, 4) | torchrun(2, 3)) == Share(2, 3), "torchrun inside srun"


@pytest.mark.parametrize(("rank", "count"), [("3", "3"), ("-1", "3"), ("a", "3"), ("0", "0")])
def test_a_share_that_cannot_be_is_refused(rank: str, count: str) -> None:
    with pytest.raises(ValueError, match=rf"RANK={rank}, WORLD_SIZE={count}.*unset WORLD_SIZE"):
        here({"RANK": rank, "WORLD_SIZE": count})


@pytest.mark.parametrize("start", [torchrun, srun])
def test_each_process_of_a_machine_has_an_accelerator_of_its_own(
    monkeypatch: pytest.MonkeyPatch, start: object
) -> None:
    machine(monkeypatch, "cuda", 4)
    assert [own_device("auto", start(rank, 4)) for rank in (0, 1, 3)] == [
        "cuda:0",
        "cuda:1",
        "cuda:3",
    ]
    assert own_device("auto", {}) == "auto" and own_device("cuda:2", start(1, 4)) == "cuda:2"
    machine(monkeypatch, "cuda", 1)
    assert own_device("auto", start(3, 4)) == "auto", "srun showed it one"


HOLDS = """
import sys; import subprocess
import sys
import warnings
from pathlib import Path
from imagen_lit.basics.process_share import Share, working
with working(Path(sys.argv[1]), Share()):
    print("drawing", flush=True); sys.stdin.read()
"""


def test_a_second_process_that_draws_the_same_share_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline() == b"drawing\n"
        with pytest.warns(UserWarning, match=r"another process \(.*\) is drawing .*RANK=0 WORLD"):
            with working(tmp_path, Share()):
                pass
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with working(tmp_path, Share(1, 2)):  # another share
                pass
        other.communicate(timeout=30)
    assert not list(tmp_path.iterdir())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with working(tmp_path, Share()):
            pass


def test_of_two_that_finish_at_once_one_does(tmp_path: Path) -> None:
    """A second lock by the same process would be granted, so the first one is another's."""
    lock = tmp_path / "lock"
    with finishing(lock) as is_first:
        assert is_first
    assert not lock.exists()

    def refuse(*_: object) -> None:
        raise process_share.RunError("another process is finishing it")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process_share.file_lock, "_lock", refuse)
        with finishing(lock) as is_first:
            assert not is_first
    with pytest.raises(process_share.RunError, match="mine"), finishing(lock):
        raise process_share.RunError("mine") from OSError()
