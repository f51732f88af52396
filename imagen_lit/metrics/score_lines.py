"""Scores as lines for the terminal. Numbers of one protocol carry the same hash; those of different
hashes may not be compared."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A heading, and a line a score; of a metric that tells categories apart, the total."""
    totals = [row for row in rows if "/" not in row["metric"]]
    if not totals:
        return
    yield "scores [95 % interval], number of images, protocol (numbers of another are no match):"
    widest = max(len(row["metric"]) for row in totals)
    for row in totals:
        interval = "no interval"
        if row["interval"] is not None:
            interval = "[{:.4g}, {:.4g}]".format(*row["interval"])
        yield (
            f"{row['stage']:5} {row['metric']:{widest}} {row['value']:.4g}  {interval}  "
            f"n={row['n']}  {row['protocol']}"
        )
