"""What an evaluation measured, a line for each stage and score, with the hash of its protocol."""

from collections.abc import Mapping, Sequence
from typing import Any

from imagen_lit.report import page, rounding
from imagen_lit.report.protocol_tables import protocol_tables

JUDGED = "exact"  # has a table of its own (score_table.py)
HEADS = ("stage", "score", "value", "95 % interval", "images", "protocol")


def html(rows: Sequence[Mapping[str, Any]], protocols: Mapping[str, Any]) -> str:
    """Empty without scores but the judge's. `rows` and `protocols` are those of scores.json; of
    scores that tell categories apart, the totals are shown."""
    totals = [row for row in rows if "/" not in row["metric"] and row["metric"] != JUDGED]
    known = [row for row in totals if row["protocol"] in protocols]
    if not known:
        return ""
    table = page.table(HEADS, map(_line, known))
    return table + protocol_tables(known, protocols)


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    ends = rounding.ends(row["value"], row["interval"])
    reach = f"{ends[0]} – {ends[1]}" if ends else "not known"
    value = rounding.rounded(row["value"], row["interval"])
    return row["stage"], row["metric"], value, reach, f"{row['n']:,}", row["protocol"]
