"""What each hash of a protocol stands for, as tables of a page that open after a click."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from imagen_lit.basics.settings_diff import flatten
from imagen_lit.report import page

Rows = Sequence[Mapping[str, Any]]


def protocol_tables(rows: Rows, protocols: Mapping[str, Any]) -> str:
    """What each hash stands for, after a click."""
    tables = []
    for digest in dict.fromkeys(row["protocol"] for row in rows):
        facts = flatten(dict(protocols[digest])).items()
        table = page.table(("decided", "how"), [(name, str(value)) for name, value in facts])
        tables.append(f'<div id="protocol-{escape(digest)}"><h3>{escape(digest)}</h3>{table}</div>')
    return f"<details><summary>the protocols</summary>{''.join(tables)}</details>"
