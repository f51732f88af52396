"""What `make demo` decides, and how long everything took: plan.json, so that a rerun agrees.

The minutes that the user gave are for all its starts together.
"""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imagen_lit.data.aside import aside

LITTLE, ENOUGH = 300, 900  # seconds of training, all stages together


class Plan:
    def __init__(self, file: Path, minutes: float) -> None:
        self.file, self.began = file, time.monotonic()
        self.said: dict[str, Any] = {"minutes": minutes, "images": {}, "seconds": {}}
        if file.exists():
            self.said = json.loads(file.read_text())
        if self.said["minutes"] != minutes:  # more time: every stage goes on from where it is
            self.said |= {"minutes": minutes, "images": {}}
        self.spent = sum(self.said["seconds"].values())

    @property
    def left(self) -> float:
        """Seconds left of what the user gave, counting earlier starts of the same demo."""
        return self.said["minutes"] * 60 - self.spent - (time.monotonic() - self.began)

    @contextmanager
    def step(self, name: str, command: str) -> Iterator[None]:
        """Announce a step, and keep how long it took."""
        print(f"\n── {name}\n   {command}", flush=True)
        start = time.monotonic()
        try:
            yield
        finally:
            self.said["seconds"][name] = (
                self.said["seconds"].get(name, 0.0) + time.monotonic() - start
            )
            self.write()

    def write(self) -> None:
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
