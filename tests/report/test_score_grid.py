"""Tables of scores: every cell is in its place in each format, and no text breaks out of it."""

import csv
import io
import re

import pytest
from score_rows import along_guidance, by_category, protocols, row

from imagen_lit.report import score_grid

NASTY = 'a|b_c%$&#{}~^\\ *x* [y](z) <b> "q", ×\nline'


def test_a_row_for_each_label_and_a_column_for_each_metric() -> None:
    table = score_grid.grid(along_guidance(), protocols())
    assert table.labels == ["system", "guidance"] and len(table.names) == 12
    assert [metric for metric, _ in table.metrics] == ["fd", "clip_score"]
    for name, cells in zip(table.names, table.cells, strict=True):
        for (metric, digest), cell in zip(table.metrics, cells, strict=True):
            assert (cell["metric"], cell["protocol"]) == (metric, digest)
            assert (cell["system"], f"{cell['guidance']:g}") == name


def test_markdown_has_its_hashes_and_the_digits_that_intervals_support() -> None:
    rows = [row("fd", 12.3456, 0.55, system="ours"), row("clip_score", 0.25, None, system="ours")]
    table = score_grid.grid(rows, protocols())
    lines = score_grid.markdown(table).splitlines()
    (fd, one), (clip, two) = table.metrics
    assert lines[0] == f"| system | {fd} `{one}` | clip\\_score `{two}` |" and clip == "clip_score"
    assert lines[2] == "| ours | 12.3 [11.8, 12.9] | 0.250 |"
    assert "95 % intervals: bootstrap over 64 prompts" in lines[4] and one in lines[4]


def test_csv_is_read_back_with_its_ends_and_counts() -> None:
    rows = [row("fd", 12.3456, 0.55, system=NASTY), row("fd", 9.0, None, system="plain")]
    table = score_grid.grid(rows, protocols())
    lines = list(csv.DictReader(io.StringIO(score_grid.comma_separated(table))))
    digest = table.metrics[0][1]
    values = [lines[0][f"fd {part} ({digest})"] for part in ("value", "low", "high", "n")]
    assert values == ["12.3", "11.8", "12.9", "640"] and lines[0]["system"] == NASTY
    assert lines[1][f"fd low ({digest})"] == ""


def test_no_label_breaks_the_table_of_markdown() -> None:
    table = score_grid.grid([row("fd", 1.0, 0.1, system=NASTY)], protocols())
    lines = score_grid.markdown(table).splitlines()
    assert len(lines) == 5
    bare = re.sub(r"\\[\\`*_\[\]<>|~#]", "", lines[2].replace(" [0.90, 1.10]", ""))
    assert bare.count("|") == 3 and not set("*_`<>[]") & set(bare)


def test_no_label_breaks_the_table_of_latex() -> None:
    table = score_grid.grid([row("fd", 1.0, 0.1, system=NASTY)], protocols())
    text = score_grid.latex(table)
    line = next(each for each in text.splitlines() if each.startswith("a"))
    bare = re.sub(r"\\text\w+\{\}|\{[\[*]\}|\\[&%$#_{}]", "", line.removesuffix(r" \\"))
    assert bare.count(" & ") == 1 and not set("\\%$#_{}~^<>") & set(bare)
    assert text.count("{") == text.count("}") + text.count(r"\{") - text.count(r"\}")
    assert r"\begin{tabular}{lr}" in text and table.metrics[0][1] in text


def test_a_score_that_is_missing_leaves_its_place() -> None:
    rows = [*by_category(), row("fd", 9.0, 1.0, system="ours", category="Colors")]
    table = score_grid.grid(rows, protocols())
    assert sum(cell is None for cells in table.cells for cell in cells) == 11
    assert score_grid.markdown(table).count("–") == 11
    assert score_grid.latex(table).count("& --") == 11


def test_two_scores_in_one_place_are_refused() -> None:
    with pytest.raises(ValueError, match="Name what tells them apart"):
        score_grid.grid([row("fd", 1.0, 0.1), row("fd", 2.0, 0.1)], protocols())
