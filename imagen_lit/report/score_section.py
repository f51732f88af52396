"""The scores of an evaluation as a section of a page: a chart of each metric that has several
scores, a table with their intervals, and what each protocol says.
"""

from collections import defaultdict
from collections.abc import Mapping
from html import escape
from typing import Any

from imagen_lit.basics import rounding
from imagen_lit.report import comparable_rows, figure, page, score_grid
from imagen_lit.report.category_bars import category_bars
from imagen_lit.report.comparable_rows import Protocols, Row, Rows
from imagen_lit.report.parameter_curve import parameter_curve
from imagen_lit.report.protocol_tables import protocol_tables
from imagen_lit.report.trade_off_curve import trade_off


def html(scores: Mapping[str, Any], words: str = "", pair: tuple[str, str] | None = None) -> str:
    """The section; empty without scores. `scores` is what `scores.json` holds: `scores`, rows of
    `Score.row()` with labels, and `protocols`, the facts of each hash. `pair` names two metrics to
    be drawn against each other, where they share a parameter. A metric with two protocols is shown
    in two tables."""
    rows, protocols = scores["scores"], scores["protocols"]
    if not rows:
        return ""
    parts = [_charts(part, protocols, pair) + _table(part, protocols) for part in _parts(rows)]
    return page.section("Scores", "".join(parts) + protocol_tables(rows, protocols), words)


def _parts(rows: Rows) -> list[list[Row]]:
    """The rows in parts, each with one protocol for each metric."""
    hashes: dict[str, list[str]] = defaultdict(list)
    parts: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        known = hashes[row["metric"]]
        if row["protocol"] not in known:
            known.append(row["protocol"])
        parts[known.index(row["protocol"])].append(row)
    return list(parts.values())


def _table(rows: Rows, protocols: Protocols) -> str:
    table = score_grid.grid(rows, protocols)
    heads = [escape(label) for label in table.labels]
    for metric, digest in table.metrics:
        link = f'<a href="#protocol-{escape(digest)}">{escape(digest)}</a>'
        heads.append(f"{escape(metric)}<br><small>{link}</small>")
    lines = [
        "".join(f"<td>{escape(text)}</td>" for text in name)
        + "".join(f'<td class="number">{_cell(cell)}</td>' for cell in cells)
        for name, cells in zip(table.names, table.cells, strict=True)
    ]
    top = "".join(f"<th>{head}</th>" for head in heads)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'
        f'<p class="soft">{escape(table.caption)}</p>'
    )


def _cell(row: Row | None) -> str:
    if row is None:
        return "–"
    ends = rounding.ends(row["value"], row["interval"])
    reach = f' <small class="soft reach">{ends[0]} – {ends[1]}</small>' if ends else ""
    return f"{rounding.rounded(row['value'], row['interval'])}{reach}"


def _charts(rows: Rows, protocols: Protocols, pair: tuple[str, str] | None) -> str:
    """Over a parameter, where a label is one; by category otherwise."""
    labels = comparable_rows.labels(rows)
    parameter = next((label for label in labels if _is_parameter(rows, label)), None)
    names = [label for label in labels if label != parameter]
    category = names.pop() if parameter is None and names else None
    named = [
        {**row, "system": " · ".join(str(row[name]) for name in names if name in row)}
        for row in rows
    ]
    charts = []
    if parameter and pair and {*pair} <= {row["metric"] for row in rows}:
        drawing = trade_off(named, protocols, *pair, parameter)
        charts.append(page.figure(f"{pair[1]} against {pair[0]}", figure.svg(drawing)))
    for metric in comparable_rows.metrics(rows):
        own = [row for row in named if row["metric"] == metric]
        if parameter:
            own = [row for row in own if parameter in row]
        if len(own) < 2:
            continue
        if parameter:
            drawing = parameter_curve(own, protocols, metric, parameter)
        else:
            drawing = category_bars(own, protocols, metric, category or "")
        charts.append(page.figure(metric, figure.svg(drawing)))
    return f'<div class="plots">{"".join(charts)}</div>' if charts else ""


def _is_parameter(rows: Rows, label: str) -> bool:
    values = {row[label] for row in rows if label in row}
    return len(values) > 1 and all(type(value) in (int, float) for value in values)
