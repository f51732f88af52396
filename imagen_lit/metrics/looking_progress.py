"""How far the networks are that look at images: a line for each set of images that one of them has
not seen yet, from before the first on."""

from imagen_lit.basics.progress_line import Counter


class LookingProgress:
    """A `Report` (imagen_lit/metrics/sample.py)."""

    def __init__(self) -> None:
        self._counter: Counter | None = None
        self._first = 0  # how many were there before

    def __call__(self, there: int, share: int) -> None:
        """Begin a line, go on with it, or end it."""
        if self._counter is None:
            self._counter, self._first = Counter("images looked at"), there
            self._counter.start(there, share)
            return
        self._counter(there, share, made=there - self._first)
        if there == share:
            self._counter = None
