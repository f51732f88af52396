"""What `make demo` decides, and how long everything took: plan.json, so that a rerun agrees.

The minutes that the user gave are for all its starts together.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imagen_lit.data.aside import aside

LITTLE, ENOUGH = 300, 900  # seconds of training, all stages together


class Plan:
    """`began` is the moment, on time.monotonic(), from which this start is counted."""

    def __init__(self, file: Path, minutes: float, began: float | None = None) -> None:
        self.file, self.began = file, time.monotonic() if began is None else began
        self.said: dict[str, Any] = {"minutes": minutes, "images": {}, "seconds": {}, "starts": []}
        if file.exists():
            self.said = json.loads(file.read_text())
            self.said.setdefault("starts", [sum(self.said["seconds"].values())])
        if self.said["minutes"] != minutes:  # more time: every stage goes on from where it is
            self.said |= {"minutes": minutes, "images": {}}
        self.said["starts"].append(0.0)

    def __enter__(self) -> "Plan":
        return self

    def __exit__(self, *_: object) -> None:
        self.write()

    @property
    def spent(self) -> float:
        """Seconds from start to end, of all starts of the same demo together."""
        return sum(self.said["starts"][:-1]) + time.monotonic() - self.began

    @property
    def left(self) -> float:
        """Seconds left of what the user gave."""
        return self.said["minutes"] * 60 - self.spent

    @property
    def times(self) -> list[tuple[str, float]]:
        """(what, seconds) of all that was spent."""
        steps = list(self.said["seconds"].items())
        rest = self.spent - sum(seconds for _, seconds in steps)
        return [*steps, ("between: imports, trials of speed, what was already there, pages", rest)]

    @contextmanager
    def step(self, name: str, command: str) -> Iterator[Callable[[object], None]]:
        """Announce a step, and keep how long it took. It is handed a way to say that what it makes
        is already there; then the step keeps the time that making it took."""
        left, given = max(0.0, self.left) / 60, self.said["minutes"]
        print(f"\n── {name}; about {left:.0f} min of {given:g} left\n   {command}", flush=True)
        start, found = time.monotonic(), []

        def already(what: object) -> None:
            found.append(what)
            print(f"   already there: {what}", flush=True)

        try:
            yield already
        finally:
            if not found:
                before = self.said["seconds"].get(name, 0.0)
                self.said["seconds"][name] = before + time.monotonic() - start
            self.write()

    def write(self) -> None:
        self.said["starts"][-1] = time.monotonic() - self.began
        with aside(self.file) as file:
            file.write(json.dumps(self.said, indent=2).encode())

    def warn_of_little(self, seconds: float) -> None:
        """Say it before the training, and not by its pictures."""
        minutes = self.said["minutes"]
        if seconds < LITTLE:
            more = 5 * math.ceil((minutes + (ENOUGH - seconds) / 60) / 5)
            print(
                f"\n   {max(0.0, seconds):.0f} s of {minutes:g} minutes are left for training: too "
                "few for pictures that are like their captions. To give it more, type make demo "
                f"MINUTES={more}, now or when this has ended: it goes on from here"
            )
