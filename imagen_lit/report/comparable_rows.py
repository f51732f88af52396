"""Rows of scores that may stand in one column or plot: those of one protocol for each metric.

A row is `Score.row()` and labels beside it, such as `system`, `category` or `guidance`;
`protocols` holds the facts of each hash, as `scores.json` does.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation.protocol import Protocol, refuse_other

Row = Mapping[str, Any]
Rows = Sequence[Row]
Protocols = Mapping[str, Protocol]

NO_INTERVAL = "no interval: "  # before the reason, where a method gave none
FIELDS = ("metric", "value", "interval", "n", "method", "protocol")  # of a Score; others are labels


def of_metric(rows: Rows, protocols: Protocols, metric: str, purpose: str) -> list[Row]:
    """The rows of this metric; raises if two of them have protocols that differ."""
    chosen = [checked(row) for row in rows if row["metric"] == metric]
    if not chosen:
        names = ", ".join(sorted({str(row["metric"]) for row in rows})) or "none"
        raise InputError(f"no score is of {metric}. Choose one of these metrics: {names}.")
    first = _facts(chosen[0], protocols)
    for row in chosen:
        refuse_other(first, _facts(row, protocols), purpose)
    return chosen


def facts(rows: Rows) -> str:
    """What stands below a plot of these rows: how the intervals came about, and the protocols."""
    methods = dict.fromkeys(str(row["method"]) for row in rows if row["interval"])
    hashes = dict.fromkeys(f"{row['metric']} {row['protocol']}" for row in rows)
    how = f"95 % intervals: {'; '.join(methods)}" if methods else "No interval is known"
    reasons = dict.fromkeys(
        f" No interval of {row['metric']}: {str(row['method']).removeprefix(NO_INTERVAL)}."
        for row in rows
        if not row["interval"]
    )
    return f"{how}.{''.join(reasons)} Protocols: {', '.join(hashes)}."


def metrics(rows: Rows) -> list[str]:
    """The metrics, in the order of the rows."""
    return list(dict.fromkeys(row["metric"] for row in rows))


def labels(rows: Rows) -> list[str]:
    """What the rows are labelled with, in the order of the rows."""
    return [
        name for name in dict.fromkeys(key for row in rows for key in row) if name not in FIELDS
    ]


def checked(row: Row) -> Row:
    """The row; raises where its value or interval is not finite."""
    ends = row["interval"] or ()
    numbers = [row["value"], *ends]
    if len(ends) not in (0, 2) or not all(
        isinstance(number, int | float) and math.isfinite(number) for number in numbers
    ):
        raise InputError(
            f"a score of {row['metric']} is {row['value']} with the interval {row['interval']}. "
            "Leave it out, or score again."
        )
    return row


def _facts(row: Row, protocols: Protocols) -> Protocol:
    if row["protocol"] not in protocols:
        raise InputError(
            f"a score of {row['metric']} has the protocol {row['protocol']}, whose facts are not "
            "there. Give `protocols` of its scores.json."
        )
    return protocols[row["protocol"]]
