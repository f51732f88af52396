"""What the ranks of a job tell one another while they train, without a word to their devices.

They do not receive a signal at the same moment, and have to act on it together. So the flags that
they raise travel over the network between two calls, while the devices compute, and all ranks learn
at the second call what any of them raised at the first.
"""

from datetime import timedelta
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup

# A rank that draws keeps the others waiting for long; one that dies ends the connection at once.
PATIENCE = timedelta(days=1)


class _Message(NamedTuple):
    work: dist.Work
    flags: Tensor


class RankAgreement:
    """A channel of its own between the ranks' processes; a single process needs none."""

    def __init__(self) -> None:
        self._group: ProcessGroup | None = None
        self._message: _Message | None = None

    def open(self, world_size: int) -> None:
        """All ranks call it together."""
        self._message = None
        if world_size > 1:
            self._group = dist.new_group(backend="gloo", timeout=PATIENCE)

    def __call__(self, *flags: bool) -> tuple[bool, ...]:
        """Which flags any rank raised at the call before, the same for all ranks; a single process
        gets back its own. A flag stays raised until it was acted on."""
        if self._group is None:
            return flags
        message, self._message = self._message, None
        if message is not None:
            message.work.wait()
            if message.flags.any():
                return tuple(message.flags.bool().tolist())
        tensor = torch.tensor(flags, dtype=torch.int32)
        work = dist.all_reduce(tensor, dist.ReduceOp.MAX, self._group, async_op=True)
        self._message = _Message(work, tensor)
        return (False,) * len(flags)

    def close(self) -> None:
        """All ranks call it together, after as many calls."""
        if self._message is not None:
            self._message.work.wait()
        if self._group is not None:
            dist.destroy_process_group(self._group)
        self._group = self._message = None
