"""How far the drawing of images is, by the denoising step, across stages and batches.

A step of a large stage takes many times as long as one of a small stage, so a stage's time left is
known once its own steps have been timed. Until then its name stands beside the time left of the
others: `0:40 + sr2 left`. A stage's first step also loads its weights, and is not timed.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from imagen_lit.basics.printable import printable
from imagen_lit.basics.progress_line import ProgressLine
from imagen_lit.basics.progress_text import progress_text


class Step(NamedTuple):
    """A denoising step that has just been made; number 0: the batch begins."""

    stage: str
    number: int
    plan: Mapping[str, int]  # how many steps each stage makes, in their order
    prompts: Sequence[str]  # of the images that are drawn together
    done: int  # images finished before
    total: int

    @property
    def share(self) -> float:
        """How much of its batch is done, each step counting the same."""
        before = list(self.plan)[: list(self.plan).index(self.stage)]
        return (sum(self.plan[name] for name in before) + self.number) / sum(self.plan.values())

    @property
    def name(self) -> str:
        """`a red circle: sr2 step 12/32`, or without the prompt if there are several."""
        first = printable(self.prompts[0]) if len({*self.prompts}) == 1 else ""
        short = first if len(first) < 15 else f"{first[:13].rstrip()}…"
        prompt = f"{short}: " if short else ""
        return f"{prompt}{self.stage} step {self.number}/{self.plan[self.stage]}"


Report = Callable[[Step], None]


def silent(step: Step) -> None:
    """Report nothing."""


class StepTimes:
    """How long a step of each stage takes, on average."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._last = 0.0

    def update(self, step: Step) -> None:
        """Record that a step has been made."""
        now = time.monotonic()
        if step.number > 1 or step.number == step.plan[step.stage]:
            self._seconds[step.stage] = self._seconds.get(step.stage, 0.0) + now - self._last
            self._counts[step.stage] = self._counts.get(step.stage, 0) + 1
        self._last = now

    def batch(self, plan: Mapping[str, int]) -> float | None:
        """Seconds for a whole batch; None before each stage has been timed."""
        return None if self.untimed(plan) else self._known(plan)

    def untimed(self, plan: Mapping[str, int]) -> list[str]:
        """The stages of which no step has been timed."""
        return [name for name in plan if name not in self._counts]

    def remaining(self, step: Step) -> float | None:
        """Seconds until all images are drawn, without the stages that are untimed; None in one."""
        if step.stage not in self._counts:
            return None
        names = list(step.plan)
        left = dict(step.plan) | dict.fromkeys(names[: names.index(step.stage)], 0)
        left[step.stage] -= step.number
        images = max(0, step.total - step.done - len(step.prompts))
        return self._known(left) + self._known(step.plan) * images / len(step.prompts)

    def _known(self, plan: Mapping[str, int]) -> float:
        """Seconds of the stages that have been timed."""
        timed = {name: self._seconds[name] / count for name, count in self._counts.items()}
        return sum(steps * timed.get(name, 0.0) for name, steps in plan.items())


class DrawingProgress:
    """A progress line: `step(step)` after each step, `count(done, total)` after each batch."""

    def __init__(self, unit: str = "images drawn") -> None:
        self.unit = unit
        self._times, self._line = StepTimes(), ProgressLine()

    @property
    def is_empty(self) -> bool:
        """Nothing has been drawn yet."""
        return self._line.is_empty

    def step(self, step: Step) -> None:
        """Show a line, if it is time."""
        self._times.update(step)
        if not self._line.is_due(last=False):
            return
        seconds = self._times.batch(step.plan)
        text = progress_text(
            step.done,
            step.total,
            self.unit,
            share=(step.done + len(step.prompts) * step.share) / step.total,
            speed=len(step.prompts) / seconds if seconds else None,
            left=self._times.remaining(step),
            untimed=self._times.untimed(step.plan),
            note=step.name,
            columns=self._line.columns,
        )
        self._line.show(text, last=False)

    def count(self, done: int, total: int) -> None:
        """Record that so many images are drawn; after the last one, show the last line."""
        if done >= total and not self.is_empty:
            took = time.monotonic() - self._line.started_at
            text = progress_text(total, total, self.unit, took=took, columns=self._line.columns)
            self._line.show(text, last=True)
