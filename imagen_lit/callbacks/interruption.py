"""A signal raises a flag, and nothing more; the flag is read where a batch ends.

Ctrl-C in the middle of a step would leave weights that have taken it beside a clock that has not.
So training goes on to the end of the batch and stops; whoever called `fit` saves and looks at
`asked`. A second Ctrl-C does not wait.
"""

import signal
from types import FrameType
from typing import Any

from lightning import Callback, LightningModule, Trainer


class Interruption(Callback):
    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for name in (signal.SIGINT, signal.SIGTERM):
            self._before[name] = signal.signal(name, self._raise_flag)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.between_updates:  # whom the signal reached, all ranks stop together
            if trainer.strategy.reduce_boolean_decision(self.asked, all=False):
                trainer.should_stop = True

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)
        self._before = {}

    def _raise_flag(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            signal.signal(number, self._before[number])
            raise KeyboardInterrupt
        self.asked = True
