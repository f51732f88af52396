"""Cells are handed to workers on this machine, each as soon as all that it needs is done."""

import time
from collections.abc import Sequence
from multiprocessing import connection
from pathlib import Path

from imagen_lit.ablation import cell_log
from imagen_lit.ablation.cell import Cell
from imagen_lit.basics.short_form import quantity
from imagen_lit.launcher.launcher import Work
from imagen_lit.launcher.worker import Worker


class Dispatch:
    """Of `cells`, in topological order, to so many workers."""

    def __init__(self, cells: Sequence[Cell], work: Work, runs: str, workers: int) -> None:
        self.cells, self.work, self.runs, self.most = list(cells), work, runs, workers
        self.waiting = {cell.name: cell for cell in cells}
        self.failed: dict[str, str] = {}
        self.count = 0
        self._idle: list[Worker] = []
        self._busy: dict[Worker, tuple[Cell, float, int]] = {}

    def run(self) -> None:
        """Until nothing is left that can be done."""
        try:
            while self._hand_out() or self._busy:
                self._await()
        except KeyboardInterrupt:
            # The terminal has sent Ctrl-C to the workers too: they save what they can.
            print("stopping; what is being trained is saved", flush=True)
            raise
        finally:
            for worker in [*self._idle, *self._busy]:
                worker.close()
        if self.failed:
            print(f"{quantity(len(self.failed), 'cell')} failed or could not be done", flush=True)

    def _hand_out(self) -> bool:
        """Give every idle worker a cell that can be done; whether there was one."""
        begun = False
        for name, cell in list(self.waiting.items()):
            if lost := next((need for need in cell.needs if need in self.failed), None):
                del self.waiting[name]
                self.failed[name] = f"needs {lost}, which failed"
                self._print(cell, f"left out: it needs {lost}")
                continue
            in_work = {each.name for each, *_ in self._busy.values()}
            if any(need in self.waiting or need in in_work for need in cell.needs):
                continue
            if len(self._busy) >= self.most:
                break
            del self.waiting[name]
            self.count += 1
            worker = self._idle.pop() if self._idle else Worker(self.work, self.runs)
            worker.begin(cell)
            self._busy[worker] = cell, time.monotonic(), self.count
            self._print(cell, f"begins: {cell.command}", self.count)
            begun = True
        return begun

    def _await(self) -> None:
        """Wait for the first worker that is through."""
        ready = connection.wait([worker.connection for worker in self._busy])
        for worker in [each for each in self._busy if each.connection in ready]:
            cell, start, number = self._busy.pop(worker)
            try:
                reason = worker.result()
                self._idle.append(worker)
            except (EOFError, OSError):
                reason = worker.ending()
                file = cell_log.path(Path(self.runs), cell.name)
                with file.open("a") as handle:
                    print(f"\n{cell_log.FAILED}{reason}", file=handle)
            if reason:
                self.failed[cell.name] = reason
                log = cell_log.path(Path(self.runs), cell.name)
                self._print(cell, f"failed: {reason}\n    its log: {log}", number)
            else:
                self._print(cell, f"done in {time.monotonic() - start:,.0f} s", number)

    def _print(self, cell: Cell, words: str, number: int = 0) -> None:
        place = f"[{number}/{len(self.cells)}] " if number else ""
        print(f"{place}{cell.name}\n    {words}", flush=True)
