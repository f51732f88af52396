"""How a run differs from the paper, as HTML for the page and as Markdown: the same rows, and no
folder can harm either."""

import re
from typing import Any

import left_runs

from imagen_lit.paper import deviation
from imagen_lit.report import deviation_table


def settings(**changes: Any) -> dict[str, Any]:
    return left_runs.settings("mine") | changes


def test_both_show_every_row() -> None:
    rows = deviation.deviations(settings())
    text = "\n".join(deviation_table.markdown("mine", settings()))
    html = deviation_table.html(settings())
    assert rows and f"in {len(rows)} choices</summary>" in html
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(lines) == len(rows) + 2 * 3  # and two lines of heading for each kind
    for row in rows:
        assert f"| {row.setting} | {row.paper} | {row.here} | {row.choice} |" in lines
        assert f"<td>{row.setting}</td>" in html.replace("&#x27;", "'")


def test_what_a_run_holds_is_escaped() -> None:
    naughty = settings(odd="<script>|x\x1b[2J\ny")
    html = deviation_table.html(naughty)
    assert "<script>" not in html and "&lt;script&gt;" in html
    (line,) = (line for line in deviation_table.markdown("a\nb", naughty) if "script" in line)
    assert "\x1b" not in line and len(re.findall(r"(?<!\\)\|", line)) == 5


def test_a_run_of_no_stage_of_the_paper_gets_no_table() -> None:
    other = settings(stage={"condition": {"_target_": "mine.Depth"}})
    assert deviation_table.html(other) == ""
    (line,) = deviation_table.markdown("mine", other)
    assert line == "mine corresponds to no stage of the paper."
