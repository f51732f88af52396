"""When each micro-batch of a training ended, and how long it was waited for."""

import math
import time
from typing import Any

from lightning import Callback, Trainer

from imagen_lit.basics.progress_line import Counter

WARM_UP = 4  # micro-batches


class Clock(Callback):
    """Times `batches`, warm-up included; after so many seconds, one beside the warm-up is enough,
    and the training ends."""

    def __init__(self, batches: int, seconds: float = math.inf) -> None:
        self.batches, self.seconds = batches, seconds
        self.ends, self.waits = list[float](), list[float]()
        self.started_at = time.perf_counter()
        self._counter = Counter("batches timed")

    def on_train_batch_start(self, *_: Any) -> None:
        """Record how long the loop waited for the batch."""
        if self.ends and len(self.ends) < self.batches:
            self.waits.append(time.perf_counter() - self.ends[-1])

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Record the time, and stop if it is over."""
        if len(self.ends) == self.batches:
            return  # what follows is observed, and slower
        self.ends.append(time.perf_counter())
        if len(self.ends) > WARM_UP and self.ends[-1] - self.started_at > self.seconds:
            trainer.should_stop, self.batches = True, len(self.ends)
        if trainer.is_global_zero:
            self._counter(len(self.ends), self.batches)

    @property
    def batch_seconds(self) -> float:
        """Of one micro-batch, in the mean."""
        return (self.ends[-1] - self.ends[WARM_UP - 1]) / (len(self.ends) - WARM_UP)

    @property
    def wait_seconds(self) -> float:
        """For the data of one micro-batch, in the mean; a part of `batch_seconds`."""
        waits = self.waits[WARM_UP - 1 :]
        return sum(waits) / len(waits)
