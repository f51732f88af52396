"""The one line on stderr that says how far a command is.

On a terminal the line rewrites itself twice a second; in a log file a new one comes every 15 s.
"""

import sys
import time
from typing import ClassVar

from imagen_lit.basics.eta import Eta


class ProgressLine:
    """`if line.is_due(last): line.show(text, last)`, where `last` marks the final line."""

    is_open: ClassVar[bool] = False  # the cursor of the one terminal is at the end of a line

    def __init__(self, every: float = 15.0) -> None:
        self.every = every  # seconds between two lines in a log file
        self._shown_at = -float("inf")

    @property
    def is_empty(self) -> bool:
        """Nothing has been shown yet."""
        return self._shown_at == -float("inf")

    def is_due(self, last: bool) -> bool:
        """Whether it is time for another line; always for the last one."""
        interval = 0.5 if sys.stderr.isatty() else self.every
        return last or time.monotonic() - self._shown_at >= interval

    def show(self, text: str, last: bool) -> None:
        """Print the line, over the one before it on a terminal."""
        self._shown_at = time.monotonic()
        terminal = sys.stderr.isatty()
        print(
            f"\r\033[K{text}" if terminal else text,
            end="" if terminal and not last else "\n",
            file=sys.stderr,
            flush=True,
        )
        ProgressLine.is_open = terminal and not last

    @staticmethod
    def end() -> None:
        """Finish the line that a terminal shows, so that what follows starts on a new one."""
        if ProgressLine.is_open:
            print(file=sys.stderr, flush=True)
            ProgressLine.is_open = False


class Counter:
    """Shows `12/40 shards, 0:31 left` on a progress line: `counter(done, total)`."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._eta, self._line = Eta(), ProgressLine()

    @property
    def is_empty(self) -> bool:
        """Nothing has been counted yet."""
        return self._line.is_empty

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Count, and show a line if it is time."""
        self._eta.update(done)
        last = done == total
        if self._line.is_due(last):
            left = "" if last else f", {self._eta.remaining(total)} left"
            self._line.show(f"{done:,}/{total:,} {self.unit}{note}{left}", last)
