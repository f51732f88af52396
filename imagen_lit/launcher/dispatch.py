"""Cells are handed to workers on this machine, each as soon as all that it needs is done."""

import os
import time
from collections.abc import Sequence
from multiprocessing import connection
from pathlib import Path

from imagen_lit.ablation import cell_log
from imagen_lit.ablation.cell import Cell
from imagen_lit.launcher.launcher import Work
from imagen_lit.launcher.worker import Worker

WIDTH = 100


class Dispatch:
    """Of `cells`, in topological order, to so many workers, which share the processors."""

    def __init__(self, cells: Sequence[Cell], work: Work, runs: str, workers: int) -> None:
        self.total, self.work, self.runs, self.most = len(cells), work, Path(runs), workers
        self.threads = max(1, _processors() // workers)
        self.numbers = {cell.name: number for number, cell in enumerate(cells, 1)}
        self.waiting = {cell.name: cell for cell in cells}
        self.failed: set[str] = set()
        self._idle: list[Worker] = []
        self._busy: dict[Worker, tuple[Cell, float]] = {}

    def run(self) -> None:
        """Until nothing is left that can be done."""
        try:
            self._hand_out()
            while self._busy:
                self._await()
                self._hand_out()
        except KeyboardInterrupt:
            print("stopping; what is being trained is saved first", flush=True)
            raise
        finally:
            for worker in self._idle:
                worker.close(is_busy=False)
            for worker in self._busy:
                worker.close(is_busy=True)

    def _hand_out(self) -> None:
        """Give a cell that can be done to each worker that is free, or is still to be started."""
        for name, cell in list(self.waiting.items()):
            if lost := next((need for need in cell.needs if need in self.failed), None):
                del self.waiting[name]
                self.failed.add(name)
                self._print(cell, f"left out, because {_short(lost, 50)} failed")
                continue
            unfinished = {*self.waiting, *(each.name for each, _ in self._busy.values())}
            if len(self._busy) < self.most and not unfinished & set(cell.needs):
                del self.waiting[name]
                self._begin(cell)

    def _begin(self, cell: Cell) -> None:
        self._idle = [worker for worker in self._idle if worker.is_alive]
        worker = self._idle.pop() if self._idle else self._worker()
        worker.begin(cell)
        self._busy[worker] = cell, time.monotonic()
        self._print(cell, f"{cell.command} {_short(cell.name, WIDTH - 30)}")

    def _worker(self) -> Worker:
        return Worker(self.work, str(self.runs), self.threads)

    def _await(self) -> None:
        """Wait for the first workers that are through with their cells."""
        ready = connection.wait([worker.connection for worker in self._busy])
        for worker in [each for each in self._busy if each.connection in ready]:
            cell, start = self._busy.pop(worker)
            log = cell_log.path(self.runs, cell.name)
            try:
                reason = worker.result()
                self._idle.append(worker)
            except (EOFError, OSError):
                reason = worker.ending()
                with log.open("a") as file:
                    print(f"\n{cell_log.FAILED}{reason}", file=file)
            if reason:
                self.failed.add(cell.name)
                self._print(cell, f"failed: {reason}\n    all that it printed: {log}")
            else:
                self._print(cell, f"done in {time.monotonic() - start:,.0f} s")

    def _print(self, cell: Cell, words: str) -> None:
        width = len(str(self.total))
        print(f"[{self.numbers[cell.name]:{width}}/{self.total}] {words}", flush=True)


def _processors() -> int:
    """Those that this process may use, where the system tells."""
    has_mask = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1


def _short(name: str, most: int) -> str:
    """The beginning and the end of a long name: the scale, and what is its own."""
    return name if len(name) <= most else f"{name[: most // 3]}…{name[1 - most + most // 3 :]}"
