"""The time budget of `make demo`: what it was spent on, and what it decided. `budget.json` records
both, so that a second start agrees with the first.

The minutes that the user gave cover all starts together.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.eta import clock

TOO_LITTLE, ENOUGH = 300, 900  # seconds of training, all stages together
STAGE = "stage "  # how the name of a step that trains one begins
SHORT = "short"  # in the record, if too few minutes were given: what to do


def check(minutes: object, shares: Any, stages: int) -> None:
    """Refuse what is no time, or no share of it for each stage."""
    if type(minutes) not in (int, float) or not 0 < minutes < math.inf:  # type: ignore[operator]
        raise InputError(f"minutes={minutes} is not a number above 0. Type make demo MINUTES=20.")
    numbers = list(shares.values()) if isinstance(shares, Mapping) else []
    if len(numbers) != stages or {*map(type, numbers)} - {int, float} or min(numbers) <= 0:
        raise InputError(
            f"time_share={shares} is not a number above 0 for each stage. Set "
            "time_share.demo_base=0.68 time_share.demo_sr=0.19 time_share.demo_sr2=0.13."
        )


class TimeBudget:
    """`started_at` is the moment, on time.monotonic(), from which this start is counted.

    `record` is the file's content: minutes, images by stage, seconds by step, seconds by start, and
    whatever else the demo decides once.
    """

    def __init__(self, file: Path, minutes: float, started_at: float | None = None) -> None:
        self.file = file
        self.started_at = time.monotonic() if started_at is None else started_at
        self.record: dict[str, Any] = {
            "minutes": minutes,
            "images": {},
            "seconds": {},
            "starts": [],
        }
        if file.exists():
            self.record = json.loads(file.read_text())
            self.record.setdefault("starts", [sum(self.record["seconds"].values())])
        if self.record["minutes"] != minutes:  # more time: every stage continues from where it is
            self.record |= {"minutes": minutes, "images": {}}
            self.record.pop(SHORT, None)
        self.record["starts"].append(0.0)

    def __enter__(self) -> "TimeBudget":
        return self

    def __exit__(self, *_: object) -> None:
        self.write()

    @property
    def spent(self) -> float:
        """Seconds from start to end, over all starts of the same demo."""
        return sum(self.record["starts"][:-1]) + time.monotonic() - self.started_at

    @property
    def trained(self) -> float:
        """Seconds that the stages have been trained for."""
        steps = self.record["seconds"].items()
        return sum(seconds for step, seconds in steps if step.startswith(STAGE))

    @property
    def left(self) -> float:
        """Seconds left of the minutes that the user gave."""
        return self.record["minutes"] * 60 - self.spent

    @property
    def times(self) -> list[tuple[str, float]]:
        """(what, seconds) of all time spent."""
        steps = list(self.record["seconds"].items())
        rest = self.spent - sum(seconds for _, seconds in steps)
        return [*steps, ("between: imports, speed trials, reused results, pages", rest)]

    @contextmanager
    def step(self, name: str, command: str) -> Iterator[Callable[[object], None]]:
        """Announce a step, and record how long it took. The block receives a function to call when
        the result already exists; then the step keeps its original time."""
        left, whole = max(0.0, self.left), self.record["minutes"] * 60
        print(f"\n── {name}, {clock(left)} of {clock(whole)} left\n   {command}", flush=True)
        start, is_reused = time.monotonic(), False

        def already_there(what: object) -> None:
            nonlocal is_reused
            is_reused = True
            print(f"   already there: {what}", flush=True)

        try:
            yield already_there
        finally:
            if not is_reused:
                before = self.record["seconds"].get(name, 0.0)
                self.record["seconds"][name] = before + time.monotonic() - start
            self.write()

    def write(self) -> None:
        """Save the record, this start's seconds included."""
        self.record["starts"][-1] = time.monotonic() - self.started_at
        write_json(self.file, self.record)

    def announce(self, parts: Mapping[str, float], rest: str, aside: float) -> bool:
        """Print how long all but the training will take: `parts`, in seconds, as short trials
        measured them, and what is put aside for the `rest`. Return whether too little is left."""
        times = ", ".join(f"{part} {clock(seconds)}" for part, seconds in parts.items())
        needed, left = sum(parts.values()) + aside, max(0.0, self.left)
        print(
            f"\n── all but the training takes about {clock(needed)}, and {clock(left)} are left"
            f"\n   measured by short trials: {times}; put aside for {rest}: {clock(aside)}",
            flush=True,
        )
        return self.warn_if_short(self.left - needed)

    def warn_if_short(self, seconds: float) -> bool:
        """Warn before the training that time is too short, rather than let its images show it;
        return whether it is. What an earlier start has trained counts as well."""
        self.record.pop(SHORT, None)
        if is_short := seconds + self.trained < TOO_LITTLE:
            left = f"{max(0.0, seconds):.0f} s of {self.record['minutes']:g} min"
            advice = self._advice(seconds + self.trained)
            print(f"   {left} are left for training: {advice}", flush=True)
            self.record[SHORT] = f"{left} were left for training: {advice}"
        return is_short

    @property
    def warning(self) -> str:
        """The same for those who see the images: too few minutes were given, or the stages were
        trained for too short; empty if neither is so."""
        if SHORT in self.record:  # however long a busy machine took over what it could do
            return f"Too few minutes were given. {self.record[SHORT]}."
        if self.trained >= TOO_LITTLE:
            return ""
        advice = self._advice(self.trained)
        return f"The stages were trained for {self.trained:.0f} s in all: {advice}."

    def _advice(self, seconds: float) -> str:
        least = math.ceil(self.record["minutes"] + (TOO_LITTLE - seconds) / 60)
        more = 5 * math.ceil((self.record["minutes"] + (ENOUGH - seconds) / 60) / 5)
        return (
            "too few for images that match their captions. To give it more, type the same command "
            f"with minutes={more}, {least} at the least (make demo: MINUTES={more}): it continues "
            "from here"
        )
