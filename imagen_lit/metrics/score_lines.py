"""Scores as lines for the terminal. Numbers of one protocol carry the same hash; those of different
hashes may not be compared."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imagen_lit.basics import rounding
from imagen_lit.basics.short_form import quantity
from imagen_lit.metrics.measured import SCORES, key


def lines(scores: Mapping[str, Any], now: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A heading, a line a score measured `now`, and how many more `scores` holds, what scores.json
    does; of a metric that tells categories apart, the total."""
    totals = _totals(now)
    if totals:
        yield "scores [95 % interval], number of images, protocol (those of another are no match):"
    widest = max((len(row["metric"]) for row in totals), default=0)
    for row in totals:
        text = rounding.with_interval(row["value"], row["interval"])
        reason = "" if row["interval"] else f"  {row['method']}"
        yield (
            f"{row['stage']:5} {row['metric']:{widest}} {text}{reason}  n={row['n']}  "
            f"{row['protocol']}"
        )
    known = {key(row) for row in now}
    others = [row for row in _totals(scores["scores"]) if key(row) not in known]
    if others:
        yield f"{quantity(len(others), 'score')} of earlier starts in {SCORES} too"


def _totals(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in rows if "/" not in row["metric"]]
