"""What an evaluation measured, a line for each stage and score, with the hash of its protocol."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from imagen_lit.basics import rounding
from imagen_lit.report import page
from imagen_lit.report.comparable_rows import NO_INTERVAL
from imagen_lit.report.protocol_tables import protocol_tables

JUDGED = "exact"  # has a table of its own (score_table.py)
HEADS = ("stage", "score", "value", "95 % interval", "images", "protocol")


def html(
    rows: Sequence[Mapping[str, Any]], protocols: Mapping[str, Any], judged: Collection[str] = ()
) -> str:
    """Empty without scores but the judge's of the stages `judged`. `rows` and `protocols` are those
    of scores.json; of scores that tell categories apart, the totals are shown."""
    known = [
        row
        for row in rows
        if "/" not in row["metric"]
        and row["protocol"] in protocols
        and not (row["metric"] == JUDGED and row["stage"] in judged)
    ]
    if not known:
        return ""
    table = page.table(HEADS, map(_line, known))
    return table + protocol_tables(known, protocols)


def _reason(row: Mapping[str, Any]) -> str:
    return str(row.get("method", "as its method says")).removeprefix(NO_INTERVAL)


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    ends = rounding.ends(row["value"], row["interval"])
    reach = f"{ends[0]} – {ends[1]}" if ends else f"not known ({_reason(row)})"
    value = rounding.rounded(row["value"], row["interval"])
    return row["stage"], row["metric"], value, reach, f"{row['n']:,}", row["protocol"]
