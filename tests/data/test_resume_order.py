"""Killed outright and continued by another number of ranks and workers: the same stream."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import warm

# One rank: it writes a line for every sample of its batches, with a hash.
RANK = """
import hashlib, sys
from types import SimpleNamespace
from imagen_lit.data.loader import Data

folder, out, rank, world, workers, start, batches = sys.argv[1:]
data = Data(folder, "fake", 16, 12, crop=8, horizontal_flip=True, workers=int(workers), seed=3,
            validation=5, window=2)
data.trainer = SimpleNamespace(global_rank=int(rank), world_size=int(world))
data.start_at(int(start))
with open(out, "a", buffering=1) as file:
    for number, batch in zip(range(int(batches)), data.train_dataloader()):
        batch = data.on_after_batch_transfer(batch, 0)
        for i, position in enumerate(batch["position"].tolist()):
            text = batch["text"][i][batch["mask"][i]]
            data_bytes = batch["image"][i].numpy().tobytes() + text.numpy().tobytes()
            digest = hashlib.sha256(data_bytes + batch["key"][i].encode()).hexdigest()
            print(position, batch["key"][i], digest, file=file)
"""


def start_ranks(
    folder: Path, out: Path, world: int, workers: int, start: int, batches: int
) -> list[int]:
    out.mkdir(exist_ok=True)
    ranks = []
    for rank in range(world):
        arguments = (folder, out / str(rank), rank, world, workers, start, batches)
        nowhere = Path(os.devnull)
        ranks.append(warm.script(RANK, [*map(str, arguments)], out.parent, nowhere, nowhere))
    return ranks


def samples(out: Path) -> dict[int, str]:
    """position -> its sample; a line cut by the kill does not count."""
    lines = [line for f in out.iterdir() for line in f.read_text().splitlines(keepends=True)]
    whole = [line.split(" ", 1) for line in lines if line.endswith("\n")]
    assert len({position for position, _ in whole}) == len(whole), "no position comes twice"
    return {int(position): rest for position, rest in whole}


@pytest.fixture(scope="module")
def folder(make: Callable[..., Path]) -> Path:
    return make(29, 14, 33, 27)


@pytest.fixture(scope="module")
def unbroken(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    out = tmp_path_factory.mktemp("unbroken")
    (only,) = start_ranks(folder, out, 1, 0, 0, 40)
    assert warm.wait(only) == 0
    return samples(out)


@pytest.fixture(scope="module")
def images_before_the_kill(
    folder: Path, unbroken: dict[int, str], tmp_path_factory: pytest.TempPathFactory
) -> int:
    """2 ranks x 2 workers, killed in the middle; how many images both have read for certain."""
    out = tmp_path_factory.mktemp("killed")
    ranks = start_ranks(folder, out, 2, 2, 0, 10_000)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        lines = [(f.read_text().count("\n") if f.exists() else 0) for f in (out / "0", out / "1")]
        if min(lines) >= 6 * 7:
            break
        time.sleep(0.02)
    for rank in ranks:
        os.kill(rank, signal.SIGKILL)
        warm.wait(rank)
    before = samples(out)
    assert {p: before[p] for p in before if p in unbroken}.items() <= unbroken.items()
    return min(lines) // 6 * 12


@pytest.mark.parametrize(("world", "workers"), [(1, 3), (4, 1), (3, 0), (2, 1)])
def test_other_ranks_and_workers_continue_sample_for_sample(
    folder: Path,
    tmp_path: Path,
    unbroken: dict[int, str],
    images_before_the_kill: int,
    world: int,
    workers: int,
) -> None:
    start = min(images_before_the_kill, 20 * 12)
    ranks = start_ranks(folder, tmp_path / "on", world, workers, start, 40 - start // 12)
    assert [*map(warm.wait, ranks)] == [0] * world
    assert samples(tmp_path / "on") == {p: rest for p, rest in unbroken.items() if p >= start}
