"""A difference of two systems, with what it allows to say: a winner is named only where the whole
interval lies on one side of zero."""

from dataclasses import dataclass

from imagen_lit.evaluation.bootstrap import Interval

LEVEL = 0.05  # of the test, as of the intervals


@dataclass(frozen=True)
class Difference:
    """`value` is the score of `second` minus that of `first`; `n` counts what was compared, in the
    words of `method`. `p_value` is that of the hypothesis of no difference."""

    first: str
    second: str
    value: float
    interval: Interval | None
    p_value: float | None
    n: int
    method: str
    is_higher_better: bool

    @property
    def winner(self) -> str | None:
        """The better system; None where the interval holds zero, or none is known, or where chance
        alone makes such a difference more often than once in twenty."""
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return None
        if self.p_value is not None and self.p_value > LEVEL:
            return None
        is_second = (self.interval[0] > 0) == self.is_higher_better
        return self.second if is_second else self.first

    def sentence(self) -> str:
        """The difference in words, with its winner or the lack of one."""
        if self.interval is None:
            return (
                f"{self.second} − {self.first} = {self.value:+.3g}; no winner: its interval is "
                f"not known ({self.method})"
            )
        low, high = self.interval
        verdict = f"{self.winner} is better" if self.winner else "no winner"
        chance = "" if self.p_value is None else f", p = {self.p_value:.2g}"
        return (
            f"{self.second} − {self.first} = {self.value:+.3g} [{low:+.3g}, {high:+.3g}]"
            f"{chance}: {verdict} ({self.method})"
        )
