"""How long a count will still take: what is left, divided by the speed of the last minute, so that
it stays accurate when the machine slows down."""

import time
from collections import deque


class Eta:
    """`update(done)` after each step; then `speed` and `remaining(total)`."""

    def __init__(self) -> None:
        self._history: deque[tuple[float, int]] = deque()  # (seconds, how many were done)

    def update(self, done: int) -> None:
        """Record that `done` are done by now."""
        now = time.monotonic()
        self._history.append((now, done))
        while len(self._history) > 2 and self._history[0][0] < now - 60:
            self._history.popleft()

    @property
    def speed(self) -> float:
        """How many per second; 0 before the second update."""
        (then, before), (now, after) = self._history[0], self._history[-1]
        return (after - before) / (now - then) if now > then else 0.0

    def remaining(self, total: int) -> str:
        """Time until `total` are done, as a clock shows it, or `?`."""
        left = max(0, total - self._history[-1][1])  # the last batch may go beyond the total
        return clock(left / self.speed) if self.speed else "?"


def clock(seconds: float) -> str:
    """75 -> 1:15."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"
