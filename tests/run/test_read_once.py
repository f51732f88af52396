"""A checkpoint travels once to a node, however many ranks resume there: all of them see the pages
that the first has brought, and none has a copy of its own."""

import os
import re
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from two_ranks import both_pass

from imagen_lit.run import checkpoint

SIZE = 32 * 2**20


def bytes_from_disk() -> int:
    """What this process has caused to be read from a disk, and not found in memory."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["read_bytes"])


def own_pages(file: Path) -> int:
    """KiB of a mapped file that this process has to itself."""
    text = Path("/proc/self/smaps").read_text()
    mappings = re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", text)
    mine = [each for each in mappings if each.partition("\n")[0].endswith(str(file))]
    assert mine, "it is mapped"
    return sum(int(n) for each in mine for n in re.findall(r"Private_Dirty: +(\d+)", each))


def check_reading(rank: int) -> None:
    folder = Path(os.environ["READ_ONCE"])
    file = checkpoint.path(folder, 1)
    if rank == 0:
        with file.open("rb") as handle:  # as on a node that has just started
            os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    dist.barrier()
    before = bytes_from_disk()
    assert checkpoint.newest_good(folder) == file
    content = checkpoint.AtomicCheckpointIO().load_checkpoint(file)
    weights = torch.nn.ParameterList([torch.empty(SIZE // 8), torch.empty(SIZE // 8)])
    weights.load_state_dict(content["state_dict"])
    own, read = own_pages(file), bytes_from_disk() - before
    sums = [each.detach().double().sum().item() for each in weights]
    here = torch.tensor([read, own, *sums], dtype=torch.double)
    both = [torch.empty_like(here) for _ in range(2)]
    dist.all_gather(both, here)
    assert both[0][0] + both[1][0] < 1.5 * SIZE, "bytes of both together"
    assert both[0][1] == both[1][1] == 0
    assert torch.equal(both[0][2:], both[1][2:])


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux counts it")
def test_two_ranks_read_a_checkpoint_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = checkpoint.path(tmp_path / "run", 1)
    file.parent.mkdir(parents=True)
    state = {str(number): torch.randn(SIZE // 8) for number in range(2)}
    checkpoint.write({"state_dict": state}, file)
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
    monkeypatch.setenv("READ_ONCE", str(tmp_path / "run"))
    assert both_pass(check_reading, tmp_path)
