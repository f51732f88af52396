"""What metrics measured, on the pages of runs: each number beside its interval and its protocol."""

import json
from pathlib import Path
from typing import Any

import pytest

from imagen_lit.report import measured_table, run_curves
from imagen_lit.run import evaluation_facts, run_facts

ROW = {"stage": "sr", "metric": "fd", "value": 12.3456, "n": 256, "method": "made up"}
ROW |= {"interval": [11.02, 13.7], "protocol": "0123456789ab"}
PROTOCOLS = {"0123456789ab": {"score": "fd", "metric": {"extractor": "<network>"}}}


def facts(folder: Path, rows: Any, protocols: Any = PROTOCOLS) -> Any:
    content = {"provenance": {"n": 256}, "scores": rows, "protocols": protocols}
    (folder / "scores.json").write_text(json.dumps(content))
    return evaluation_facts.read(folder, "some")


def test_a_score_stands_beside_its_interval_and_what_its_hash_means(tmp_path: Path) -> None:
    read = facts(tmp_path, [ROW])
    html = measured_table.html(read.rows, read.protocols).replace("<wbr>", "")
    for text in ("12.3", "11.0 – 13.7", "256", "0123456789ab", "&lt;network&gt;"):
        assert text in html
    assert "<network>" not in html


def test_totals_are_shown_and_the_judges_table_is_another(tmp_path: Path) -> None:
    others = [ROW | {"metric": "chroma/one"}, ROW | {"metric": "exact"}]
    read = facts(tmp_path, others)
    assert len(read.rows) == 2 and measured_table.html(read.rows, read.protocols, {"sr"}) == ""
    assert "exact" in measured_table.html(read.rows, read.protocols), "where it has no other"


@pytest.mark.parametrize(
    "row",
    [
        ROW | {"value": "12"},
        ROW | {"value": float("nan")},
        ROW | {"interval": [1]},
        ROW | {"metric": None},
        ROW | {"n": 1.5},
        7,
    ],
)
def test_a_damaged_row_is_left_out(tmp_path: Path, row: Any) -> None:
    assert facts(tmp_path, [row, ROW]).rows == [ROW]


def test_a_score_without_a_known_interval_says_so(tmp_path: Path) -> None:
    read = facts(tmp_path, [ROW | {"interval": None}])
    assert "not known (made up)" in measured_table.html(read.rows, read.protocols)


def test_scores_of_previews_are_curves_of_their_run(tmp_path: Path) -> None:
    rows = [{"images": n, "score/kid": [0.1 / n, 0.05 / n, 0.2 / n]} for n in (100, 200, 300)]
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    (tmp_path / "metrics.jsonl").write_text(text)
    html = run_curves.measured(run_facts.read(tmp_path, "some"))
    assert "kid" in html and html.count("<circle") == 3 and "band" in html


def test_numbers_of_two_protocols_share_no_curve(tmp_path: Path) -> None:
    """As after a resume with other metrics, prompts or reference; None: not written."""
    codes = [None, "aa", "aa", "bb", "bb"]
    rows = [
        {"images": n, "score/kid": [-0.1 / n, -0.2, 0.1 / n], "score/chroma": 0.3}
        | ({"protocols": {"score/kid": code, "score/chroma": "cc"}} if code else {})
        for n, code in enumerate(codes, 1)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    facts = run_facts.read(tmp_path, "some")
    of_kid = {name: len(points) for name, points in facts.series.items() if "kid" in name}
    assert of_kid == {"score/kid of an unknown protocol": 1, "score/kid aa": 2, "score/kid": 2}
    assert [images for images, *_ in facts.series["score/kid"]] == [4, 5], "the newest"
    html = run_curves.measured(facts)
    for title in ("kid, protocol bb", "kid, protocol aa", "chroma, protocol cc"):
        assert html.count(title) == 1
    assert "band" not in html.partition("chroma, protocol cc")[2].partition("</figure>")[0]


def test_prompts_that_changed_have_a_figure_of_their_own(tmp_path: Path) -> None:
    rows = [
        {"images": n, f"{name}_all": [0.5, 0.3, 0.7], f"{name}_one": [0.5, 0.3, 0.7]}
        | {"protocols": {f"{name}_all": code, f"{name}_one": code}}
        for n, code in ((1, "aa"), (2, "aa"), (3, "bb"))
        for name in ("score/alignment",)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    html = run_curves.scores(run_facts.read(tmp_path, "some"))
    assert html.count("drawn right") == 2 and html.count("<circle") == 6
    assert html.count("protocol aa") == html.count("protocol bb") == 1
