"""The scores of an evaluation as a table: on a line from 0 to 1, a mark at the share that was right
and a thin line for its interval."""

from collections.abc import Mapping
from html import escape
from typing import Any

PARTS = ("colour", "shape", "count", "relation", "word")


def html(scores: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """`scores`: by stage and category, as `scores.json` has them."""
    rows = [
        _row(stage, category, row)
        for stage, categories in scores.items()
        for category, row in categories.items()
    ]
    return (
        "<table class='scores'><tr><th>stage</th><th>category</th><th>exact</th>"
        f"<th>interval</th><th>n</th><th></th><th></th></tr>{''.join(rows)}</table>"
    )


def _row(stage: str, category: str, row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    bar = (
        f'<div class="bar"><b style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></b>'
        f'<i style="left:{100 * row["exact"]:.1f}%"></i></div>'
    )
    shares = [(name, row.get(name)) for name in PARTS]
    parts = " · ".join(f"{name} {x:.2f}" for name, x in shares if type(x) in (int, float))
    return (
        f"<tr><td>{escape(stage)}</td><td>{escape(category)}</td>"
        f'<td class="number">{row["exact"]:.3f}</td>'
        f'<td class="number">{low:.3f} – {high:.3f}</td><td>{row["n"]}</td>'
        f'<td>{bar}</td><td class="soft">{parts}</td></tr>'
    )
