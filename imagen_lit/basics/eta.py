"""How long a count will still take: what is left, divided by the speed of the last minute, so that
it stays accurate when the machine slows down.

The clock starts at the first update, so that what comes before it does not count. A pause (for a
validation, say) does not count for the speed either, but the time left includes such pauses.
"""

import time
from collections import deque


class Eta:
    """`update(done)` after each step; then `speed` and `remaining(total)`, None until known."""

    def __init__(self) -> None:
        # Seconds without the pauses, and how many were made by then.
        self._history: deque[tuple[float, int]] = deque()
        self._first: tuple[float, float] = (0.0, 0.0)  # seconds, seconds paused
        self._paused = 0.0
        self._done = 0

    def update(self, done: int, made: int | None = None, paused: float = 0.0) -> None:
        """Record that `done` are done by now. Only `made` of them took time, the others were there
        before; `paused` seconds so far belong to something else."""
        now = time.monotonic() - paused
        if not self._history:
            self._first = (now, paused)
        self._done, self._paused = done, paused
        self._history.append((now, done if made is None else made))
        while len(self._history) > 2 and self._history[0][0] < now - 60:
            self._history.popleft()

    @property
    def speed(self) -> float | None:
        """How many per second."""
        if not self._history:
            return None
        (then, before), (now, after) = self._history[0], self._history[-1]
        return (after - before) / (now - then) if now > then and after > before else None

    def remaining(self, total: int) -> float | None:
        """Seconds until `total` are done, if pauses take the same share of the time as so far."""
        if self.speed is None:
            return None
        left = max(0, total - self._done)  # the last batch may go beyond the total
        start, paused_before = self._first
        pauses = (self._paused - paused_before) / (self._history[-1][0] - start)
        return left / self.speed * (1 + pauses)


def clock(seconds: float) -> str:
    """75 -> 1:15; 7200 -> 2:00:00."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
