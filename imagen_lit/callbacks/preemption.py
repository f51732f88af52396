"""A signal raises a flag, and nothing more; the flag is read between two batches.

In the middle of a step there are weights that have taken it beside a clock that has not; and the
ranks of a job do not hear a signal at the same moment. So the ranks agree, between two batches of
training or of a validation, and act together.

Ctrl-C, and SIGTERM outside SLURM: training stops; whoever called `fit` sees that it is not at its
end. In a validation the state is saved, and whoever goes on from it makes the validation again. A
second one does not wait.

In a job of SLURM, USR1 and USR2 (time is nearly up) and TERM (something else needs the nodes) save
the state. After USR1 and USR2 the job is requeued, unless it was `most` times already; after TERM
that is SLURM's own affair. Then the process waits to be killed: were it to end by itself, SLURM
would take the job for done, or failed, and not start it again. It goes on training where the
requeue is refused, and where nobody kills it within `patience` seconds.
"""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from lightning import Callback, LightningModule, Trainer

from imagen_lit import slurm, status
from imagen_lit.checkpoint import VALIDATION_OWED

STOP = (signal.SIGINT, signal.SIGTERM)


class Preemption(Callback):
    def __init__(self, folder: str, patience: float = 900.0, most: int = 100) -> None:
        self.folder, self.patience, self.most = Path(folder), patience, most
        self.asked = False  # to stop
        self._give_way: set[int] = set()  # the signals that said so
        self._cut = False  # the state being saved lacks a validation that is due
        self._owed = False  # so did the one that this run goes on from
        self._before: dict[int, Any] = {}

    # When signals are heard -------------------------------------------------------------------

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._before = {name: signal.getsignal(name) for name in (*STOP, *slurm.GIVE_WAY)}
        for name in STOP:
            signal.signal(name, self._stop)
        early = [its for its in self._before.values() if isinstance(its, slurm.Remembering)]
        remembering = early[0] if early else slurm.Remembering()
        self._give_way = remembering.heard
        if slurm.inside():
            for name in slurm.GIVE_WAY:
                signal.signal(name, remembering)
        # Lightning would now put its own in their place, which talk to other ranks then and there.
        connector: Any = trainer._signal_connector
        connector.register_signal_handlers = _leave_ours

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._owed:
            self._owed = False
            trainer.validating = True
            trainer.fit_loop.epoch_loop.val_loop.run()
            trainer.training = True
            # This state owes it no more.
            trainer.checkpoint_callback.save(trainer, anew=True)  # type: ignore[union-attr]

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._put_back()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._put_back()

    def _put_back(self) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)
        self._before = {}

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            signal.signal(number, self._before[number])
            raise KeyboardInterrupt
        self.asked = True

    # When they are obeyed ---------------------------------------------------------------------

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if not pl_module.between_updates:
            return
        self._obey(trainer)
        if self._any(trainer, self.asked):  # whom the signal reached, all ranks stop together
            trainer.should_stop = True

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.sanity_checking:
            return
        self._cut = True
        try:
            self._obey(trainer)
            if self._any(trainer, self.asked):
                trainer.checkpoint_callback.save(trainer)  # type: ignore[union-attr]
                raise KeyboardInterrupt  # as a second signal: the rest of it can take long
        finally:
            self._cut = False

    def _obey(self, trainer: Trainer) -> None:
        if not slurm.inside():
            return
        heard = set(self._give_way)
        if self._any(trainer, bool(heard)):
            self._save_and_wait(trainer, self._any(trainer, bool(heard - {signal.SIGTERM})))
            self._give_way -= heard

    def _save_and_wait(self, trainer: Trainer, requeue: bool) -> None:
        trainer.checkpoint_callback.save(trainer)  # type: ignore[union-attr]
        refusal = None
        if requeue and trainer.is_global_zero:
            many = slurm.restarts() >= self.most
            refusal = f"{self.most} times are enough" if many else slurm.requeue()
            said = "is requeued" if refusal is None else f"is not requeued ({refusal}): it goes on"
            print(f"saved at a signal; job {slurm.job()} {said}", file=sys.stderr, flush=True)
        if trainer.strategy.broadcast(refusal) is not None:
            return
        status.tell(self.folder, "preempted")
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            time.sleep(0.2)
        status.tell(self.folder, "running")

    @staticmethod
    def _any(trainer: Trainer, said: bool) -> bool:
        return trainer.strategy.reduce_boolean_decision(said, all=False)

    # What a state that was saved in the middle of a validation has to remember ------------------

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[VALIDATION_OWED] = self._cut

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._owed = checkpoint.get(VALIDATION_OWED, False)


def _leave_ours() -> None:
    pass
