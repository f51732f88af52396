"""The scores of evaluations as bars with whiskers, a figure for each score.

Numbers of different protocols share no axis: a stage's images are larger than those of the stage
before, so that each stage has one of its own. The categories of a score have one, apart from the
total: their protocols differ in nothing but the part of the prompts.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from imagen_lit.evaluation.protocol import digest
from imagen_lit.report import page, whisker_bars
from imagen_lit.report.whisker_bars import Bar

Row = Mapping[str, Any]
Labelled = Sequence[tuple[str, Row]]  # the stage, or the evaluation, that a row of scores is of


def html(rows: Labelled, protocols: Mapping[str, Any]) -> str:
    """Empty without scores whose protocol is known; `protocols` are those of scores.json."""
    by_score: dict[str, list[tuple[str, Row]]] = {}
    for label, row in rows:
        if isinstance(protocols.get(row["protocol"]), Mapping):
            by_score.setdefault(row["metric"].partition("/")[0], []).append((label, row))
    figures = "".join(_figure(score, some, protocols) for score, some in by_score.items())
    return f'<div class="plots">{figures}</div>' if figures else ""


def _figure(score: str, rows: Labelled, protocols: Mapping[str, Any]) -> str:
    totals: dict[str, list[Bar]] = {}
    parts: dict[tuple[str, str], list[Bar]] = {}
    for label, row in rows:
        category = row["metric"].partition("/")[2]
        if not category:
            bars = totals.setdefault(row["protocol"], [])
            bars.append(Bar(label, row["value"], row["interval"]))
            continue
        facts = {key: x for key, x in protocols[row["protocol"]].items() if key != "category"}
        bars = parts.setdefault((label, digest(facts)), [])
        bars.append(Bar(category, row["value"], row["interval"]))
    body = "".join(
        whisker_bars.svg(bars, f"{score}: protocol {protocol}") for protocol, bars in totals.items()
    )
    if parts:
        folded = "".join(
            f"<h4>{escape(label)}</h4>{whisker_bars.svg(bars, f'{score} by category, {label}')}"
            for (label, _), bars in parts.items()
        )
        body += f"<details><summary>by category</summary>{folded}</details>"
    hashes = ", ".join(totals)
    words = f'<p class="soft">protocol {hashes}</p>' if hashes else ""
    return page.figure(score, words + body)
