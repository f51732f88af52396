"""Preemption: a signal only sets a flag, which is read between two batches.

In the middle of a step some weights are updated and the clock is not; and the ranks of a job do not
receive a signal at the same moment. So the ranks agree, between two batches of training or of a
validation, and act together, one batch later (rank_agreement.py).

Ctrl-C, and SIGTERM outside SLURM: training stops; the caller of `fit` sees that it has not
finished. During a validation the checkpoint is saved, and the run that resumes from it repeats the
validation. A second signal takes effect at once.

In a SLURM job, USR1 and USR2 (time is nearly up) and TERM (another job needs the nodes) save a
checkpoint. After USR1 and USR2 the job is requeued, unless it already was `max_requeues` times;
after TERM that is up to SLURM. Then the process waits to be killed: if it ended by itself, SLURM
would consider the job completed, or failed, and not start it again. It resumes training if the
requeue is refused, or if it is not killed within `grace_seconds`. If SLURM says that the job ends
for good, as after `scancel`, status.json says "stopped", and not "preempted".
"""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from imagen_lit.basics import arguments
from imagen_lit.basics.progress_line import answer_signal
from imagen_lit.callbacks.rank_agreement import RankAgreement
from imagen_lit.run import queue, slurm, status
from imagen_lit.run.checkpoint import VALIDATION_PENDING
from imagen_lit.run.requeue import requeue

STOP = (signal.SIGINT, signal.SIGTERM)


class Preemption(Callback):
    """Saves a checkpoint and gives way, or stops, after a signal."""

    def __init__(self, folder: str, grace_seconds: float = 900.0, max_requeues: int = 100) -> None:
        self.folder = Path(folder)
        arguments.number("callbacks.preemption.grace_seconds", grace_seconds, 0)
        arguments.whole_number("callbacks.preemption.max_requeues", max_requeues, 0)
        self.grace_seconds, self.max_requeues = grace_seconds, max_requeues
        self.stop_requested = False
        self._received: set[int] = set()  # preemption signals of a SLURM job
        self._in_validation = False  # a checkpoint saved now lacks a validation that is due
        self._validation_pending = False  # the checkpoint that this run resumes from lacked it
        self._before: dict[int, Any] = {}
        self._agreement = RankAgreement()

    # Receiving signals ------------------------------------------------------------------------

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Install the handlers; signals recorded during the run's setup count too."""
        numbers = (*STOP, *slurm.PREEMPTION_SIGNALS)
        self._before = {number: signal.getsignal(number) for number in numbers}
        for number in STOP:
            signal.signal(number, self._stop)
        early = [h for h in self._before.values() if isinstance(h, slurm.SignalRecorder)]
        recorder = early[0] if early else slurm.SignalRecorder()
        self._received = recorder.received
        if slurm.in_job():
            for number in slurm.PREEMPTION_SIGNALS:
                signal.signal(number, recorder)
        self._agreement.open(trainer.world_size)
        # Lightning would now install its own handlers, which communicate with other ranks at once,
        # and before each batch it would ask rank 0, and wait, whether its own has received one.
        connector: Any = trainer._signal_connector
        connector.register_signal_handlers = _do_nothing
        epoch_loop: Any = trainer.fit_loop.epoch_loop
        epoch_loop._broadcast_sigterm_tensor = _do_nothing

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Repeat the validation that was interrupted."""
        if self._validation_pending:
            self._validation_pending = False
            trainer.validating = True
            trainer.fit_loop.epoch_loop.val_loop.run()
            trainer.training = True
            # So that the checkpoint after this many images no longer lacks it.
            trainer.checkpoint_callback.save(trainer, overwrite=True)  # type: ignore[union-attr]

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Put the handlers back as they were."""
        self._restore_handlers()
        self._agreement.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Put the handlers back as they were."""
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.stop_requested:
            signal.signal(number, self._before[number])
            raise KeyboardInterrupt
        self.stop_requested = True
        rank_zero_only(answer_signal)("stopping after this update; a second signal stops at once")

    # Acting on them ---------------------------------------------------------------------------

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Between two updates: give way, or stop."""
        if not pl_module.between_updates:
            return
        gives_way, stops = self._agree()
        if gives_way:
            self._give_way(trainer)
        if stops:
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
        """During a validation: the same, and the checkpoint records that one is pending."""
        if trainer.sanity_checking:
            return
        self._in_validation = True
        try:
            gives_way, stops = self._agree()
            if gives_way:
                self._give_way(trainer)
            if stops:
                trainer.checkpoint_callback.save(trainer)  # type: ignore[union-attr]
                raise KeyboardInterrupt  # as after a second signal: the rest could take long
        finally:
            self._in_validation = False

    def _agree(self) -> tuple[bool, ...]:
        """Whether any rank has to give way, or to stop; the same on all ranks."""
        return self._agreement(slurm.in_job() and bool(self._received), self.stop_requested)

    def _give_way(self, trainer: Trainer) -> None:
        received = set(self._received)
        self._received -= received
        mine = bool(received - {signal.SIGTERM})
        wants_requeue = trainer.strategy.reduce_boolean_decision(mine, all=False)
        self._save_and_wait(trainer, wants_requeue)

    def _save_and_wait(self, trainer: Trainer, wants_requeue: bool) -> None:
        if trainer.is_global_zero and self._next_state() == "stopped":
            status.write(self.folder, "stopped")  # now: there may be no time after saving
        trainer.checkpoint_callback.save(trainer)  # type: ignore[union-attr]
        refusal = None
        if wants_requeue and trainer.is_global_zero:
            refusal = self._requeue()
        if trainer.strategy.broadcast(refusal) is not None:
            return
        if trainer.is_global_zero:
            status.write(self.folder, self._next_state())
        until = time.monotonic() + self.grace_seconds
        while time.monotonic() < until:
            time.sleep(0.2)
            if self._received:  # another signal: cancelled, or the end of the grace period
                self._received.clear()
                if trainer.is_global_zero:
                    status.write(self.folder, self._next_state())
        status.write(self.folder, "running")

    @staticmethod
    def _next_state() -> str:
        """What becomes of the run when SLURM kills this job, as SLURM says by now."""
        return "stopped" if queue.end(slurm.job_id()) else "preempted"

    def _requeue(self) -> str | None:
        """None if the job will be run again, or the reason why not."""
        refusal: str | None
        if slurm.restarts() >= self.max_requeues:
            refusal = f"it was requeued {slurm.restarts()} times; max_requeues={self.max_requeues}"
        else:
            # Printed before: once the requeue is granted, srun may lose the line.
            _print(f"saved after a signal; job {slurm.job_id()} asks to be requeued")
            refusal = requeue()
        if refusal is not None:
            _print(f"job {slurm.job_id()} is not requeued ({refusal}): it continues")
        return refusal

    # What a checkpoint saved during a validation records ----------------------------------------

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Record whether a validation is pending."""
        checkpoint[VALIDATION_PENDING] = self._in_validation

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Read it back."""
        self._validation_pending = checkpoint.get(VALIDATION_PENDING, False)


def _print(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _do_nothing() -> None:
    pass
