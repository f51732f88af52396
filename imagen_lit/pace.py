"""How long something that is counted will still take: what is left, divided by the speed of the
last minute, so it is right when the machine becomes slower.
"""

import sys
import time
from collections import deque


class Pace:
    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def saw(self, done: int) -> None:
        """So many are done by now."""
        now = time.monotonic()
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[0][0] < now - 60:
            self._seen.popleft()

    @property
    def speed(self) -> float:
        """How many a second; 0 while nothing is known."""
        (then, before), (now, after) = self._seen[0], self._seen[-1]
        return (after - before) / (now - then) if now > then else 0.0

    def left(self, count: int) -> str:
        """How long until `count` are done, as a clock shows it."""
        return clock((count - self._seen[-1][1]) / self.speed) if self.speed else "?"


class Counter:
    """Says `done/count what, how long still`: on a terminal in one line, elsewhere now and then."""

    def __init__(self, what: str) -> None:
        self.what, self._pace, self._told = what, Pace(), -float("inf")

    @property
    def begun(self) -> bool:
        """Whether anything was counted."""
        return self._told > -float("inf")

    def __call__(self, done: int, count: int, beside: str = "") -> None:
        self._pace.saw(done)
        now, live, over = time.monotonic(), sys.stderr.isatty(), done == count
        if not over and now - self._told < (0.5 if live else 15):
            return
        self._told = now
        said = f"{done:,}/{count:,} {self.what}{beside}"
        said += "" if over else f", {self._pace.left(count)} left"
        print(
            f"\r\033[K{said}" if live else said,
            end="" if live and not over else "\n",
            file=sys.stderr,
            flush=True,
        )


def clock(seconds: float) -> str:
    """75 -> 1:15."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"
