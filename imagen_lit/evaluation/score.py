"""A number with its interval, and the protocol that says what it means."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from imagen_lit.evaluation.protocol import Protocol, digest


@dataclass(frozen=True)
class Score:
    """`value` of `metric` over `n` images; `interval` holds the true one with 95 % confidence, for
    the reason that `method` names. None where no interval is known: no difference is then claimed.
    """

    metric: str  # such as fd, kid, clip_score: the name of its YAML
    value: float
    interval: tuple[float, float] | None
    n: int
    method: str  # of the interval, such as "bootstrap over 64 prompts"
    protocol: Protocol = field(repr=False)
    # Of each image, where it is their mean, to first order at least: for differences of pairs.
    values: np.ndarray | None = field(default=None, repr=False, compare=False)
    # Of pairs of prompts, where it is a distance (distance_interval.Influences).
    pairs: np.ndarray | None = field(default=None, repr=False, compare=False)

    def row(self) -> dict[str, Any]:
        """As a row of scores.json; the protocol by its hash."""
        return {
            "metric": self.metric,
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "n": self.n,
            "method": self.method,
            "protocol": digest(self.protocol),
        }
