"""The one line on stderr that says how far a command is.

On a terminal the line rewrites itself twice a second, and ends before anything else is printed; in
a log whole lines come now and then: every 15 s at first, and every few minutes later. Neither
tqdm nor rich: their bars write carriage returns into logs, and count pauses as work.
"""

import functools
import io
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from imagen_lit.basics.eta import Eta
from imagen_lit.basics.progress_text import progress_text

MOST = 300.0  # seconds between two lines in a log


class ProgressLine:
    """`if line.is_due(last): line.show(text, last)`, where `last` marks the final line."""

    is_open: ClassVar[bool] = False  # the cursor of the one terminal is at the end of a line
    current: ClassVar["ProgressLine | None"] = None  # the one shown last, unless it was final

    def __init__(self, every: float = 15.0) -> None:
        self.every = every  # seconds between two lines in a log, at first
        self.paused = 0.0  # seconds that were spent on something else
        self.text, self.doing = "", ""  # what it says, and what keeps it from advancing
        self.renew: Callable[[], str] | None = None  # what it would say now, if that was not due
        self.started_at = time.monotonic()
        self._shown_at = -float("inf")

    @property
    def is_empty(self) -> bool:
        """Nothing has been shown yet."""
        return not self.text

    @property
    def columns(self) -> int | None:
        """The width of the terminal; None in a log."""
        return shutil.get_terminal_size().columns - 1 if sys.stderr.isatty() else None

    def is_due(self, last: bool) -> bool:
        """Whether it is time for another line; always for the last one."""
        now = time.monotonic()
        slower = max(1.0, (now - self.started_at) / 300)
        in_log = min(self.every * slower, max(self.every, MOST))
        return last or now - self._shown_at >= (0.5 if sys.stderr.isatty() else in_log)

    def show(self, text: str, last: bool) -> None:
        """Print the line, over the one before it on a terminal."""
        self._shown_at, self.text, self.renew = time.monotonic(), text, None
        if self.doing:
            text = f"{text}, {self.doing}"[: self.columns]
        ProgressLine.current = None if last else self
        terminal = sys.stderr.isatty()
        ProgressLine.is_open = False  # what is printed now is the line itself
        sys.stdout.flush()
        start, end = ("\r\033[K", "" if not last else "\n") if terminal else ("", "\n")
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)
        ProgressLine.is_open = terminal and not last

    @property
    def latest(self) -> str:
        """What it says by now."""
        return self.text if self.renew is None else self.renew()

    def repeat(self) -> None:
        """Show the line again, if it is time."""
        if self.text and self.is_due(last=False):
            self.show(self.latest, last=False)

    @staticmethod
    def end() -> None:
        """Finish the line that a terminal shows, so that what follows starts on a new one."""
        if ProgressLine.is_open:
            ProgressLine.is_open = False
            print(file=sys.stderr, flush=True)


class Counter:
    """Shows `12/40 shards, 0.4 shards/s, 0:31 left` with a bar: `counter(done, total)`."""

    def __init__(self, unit: str, label: str = "", every: float = 15.0) -> None:
        self.unit, self.label = unit, label
        self._eta, self._line = Eta(), ProgressLine(every)

    @property
    def is_empty(self) -> bool:
        """Nothing has been counted yet."""
        return self._line.is_empty

    def start(self, done: int, total: int) -> None:
        """Show where the count stands before its first step, which may take long."""
        self._show(done, total, "", last=False)

    def __call__(
        self,
        done: int,
        total: int,
        note: str = "",
        made: int | None = None,
        last: bool | None = None,
    ) -> None:
        """Count, and show a line if it is time. Only `made` of those that are done took time.

        The last line is that of `done == total`, unless the caller says which it is.
        """
        if total <= 0:
            return  # nothing to count
        self._eta.update(done, made, self._line.paused)
        last = done >= total if last is None else last
        if self._line.is_due(last):
            self._show(done, total, note, last)
        else:
            self._line.renew = functools.partial(self._text, done, total, note, last)

    def _show(self, done: int, total: int, note: str, last: bool) -> None:
        self._line.show(self._text(done, total, note, last), last)

    def _text(self, done: int, total: int, note: str, last: bool) -> str:
        return progress_text(
            done,
            total,
            self.unit,
            label=self.label,
            speed=self._eta.speed,
            left=self._eta.remaining(total),
            took=time.monotonic() - self._line.started_at if last else None,
            note=note,
            columns=self._line.columns,
        )


def count(unit: str, steps: Iterable[tuple[int, int]]) -> None:
    """Count the steps of some work, each (done, total), while it is done."""
    counter = Counter(unit)
    for done, total in steps:
        counter(done, total)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """While this lasts, the open line says so, and its count is paused."""
    line, start = ProgressLine.current, time.monotonic()
    if line is None:
        yield
        return
    line.doing = what
    try:
        if line.columns is not None:  # a log says so only if it takes long
            line.show(line.latest, last=False)
        yield
    finally:
        line.doing = ""
        line.paused += time.monotonic() - start


def still(what: str) -> None:
    """Say how far that is which keeps the line from advancing, if it is time."""
    if (line := ProgressLine.current) is not None:
        line.doing = what
        line.repeat()


def answer_signal(what: str) -> None:
    """A line of its own, written at once; a signal's handler may interrupt any print, so it uses
    none."""
    line = ProgressLine.current
    now = f" (now {line.doing})" if line is not None and line.doing else ""
    start, ProgressLine.is_open = "\n" if ProgressLine.is_open else "", False
    with suppress(OSError):  # nobody reads any more
        os.write(2, f"{start}{what}{now}\n".encode())


def keep_lines_whole() -> None:
    """From now on, whatever this process prints starts on a line of its own, and what goes to one
    file by stdout and by stderr stays in order."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream.write, functools.partial):  # a sweep's first member did it
            # The stream's own method, because loggers hold on to the stream they began with.
            stream.write = functools.partial(  # type: ignore[method-assign]
                _after_the_line, stream.write
            )


def _after_the_line(write: Callable[[str], int], text: str) -> Any:
    ProgressLine.end()
    return write(text)
