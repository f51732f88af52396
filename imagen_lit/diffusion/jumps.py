"""The way along a sampler's times, with jumps back to noisier ones.

What is drawn beside given pixels has to fit them. A step sees them in its clean estimate, but what
it has settled itself it cannot take back; so each stretch of the way is walked several times, with
fresh noise in between (RePaint: Lugmayr et al. 2022, § 4.2; DDNM: Wang et al. 2023, § 3.3).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from imagen_lit.basics import arguments


@dataclass(frozen=True)
class Jumps:
    """Each `length` steps are walked `times` times; once is never back."""

    length: int = 1
    times: int = 1

    def __post_init__(self) -> None:
        arguments.whole_number("jumps.length", self.length, 1)
        arguments.whole_number("jumps.times", self.times, 1)

    def legs(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Pairs of positions among the times, from `first` to `last`: (i, i + 1) is a step of the
        sampler, (j, i) with i < j adds the noise that lies between."""
        for start in range(first, last, self.length):
            stop = min(start + self.length, last)
            for time in range(self.times):
                if time:
                    yield stop, start
                yield from ((i, i + 1) for i in range(start, stop))

    def steps(self, first: int, last: int) -> int:
        """How many steps of the sampler that is."""
        return (last - first) * self.times
