"""Bars with whiskers and quality against alignment, on the pages of runs: true to the numbers, and
numbers of different protocols never share an axis."""

import re
import subprocess
import sys
from typing import Any

import pytest

from imagen_lit.evaluation.protocol import digest
from imagen_lit.report import chart, run_scores, score_bars, trade_off_chart, whisker_bars
from imagen_lit.report.trade_off_chart import Point, Side
from imagen_lit.report.whisker_bars import EDGE, Bar
from imagen_lit.run.evaluation_facts import EvaluationFacts

Rows = list[dict[str, Any]]


def score(
    metric: str,
    value: float,
    interval: tuple[float, float] | None,
    size: str = "16x16",
    stage: str = "base",
) -> tuple[dict[str, Any], dict[str, Any]]:
    name, _, category = metric.partition("/")
    facts = {"score": name, "sample": {"size": size}}
    facts |= {"category": category} if category else {}
    row = {"metric": metric, "value": value, "interval": interval, "stage": stage, "n": 9}
    return row | {"protocol": digest(facts)}, {digest(facts): facts}


def evaluation(name: str, weight: float | None, *scores: Any) -> EvaluationFacts:
    rows = [row for row, _ in scores]
    protocols = {key: facts for _, each in scores for key, facts in each.items()}
    guidance = {} if weight is None else {"base": weight}
    return EvaluationFacts(name, {}, {}, {}, 9, None, 0.0, rows, protocols, guidance)


def svgs(html: str) -> list[str]:
    return re.findall(r"<svg.*?</svg>", html)


def rects(svg: str) -> list[tuple[float, float]]:
    """Start and width of each bar."""
    found = re.findall(r'<rect [^>]*x="([\d.]+)" [^>]*width="([\d.]+)"', svg)
    return [(float(x), float(width)) for x, width in found]


def whiskers(svg: str) -> list[tuple[float, float]]:
    found = re.findall(r'class="whisker" d="M([\d.]+) [\d.]+H([\d.]+)', svg)
    return [(float(low), float(high)) for low, high in found]


def test_bars_begin_at_zero_and_whiskers_are_where_the_interval_is() -> None:
    svg = whisker_bars.svg([Bar("a", 0.5, (0.25, 1.0)), Bar("b", 0.25, None)], "some")
    width = chart.WIDTH - 2 * EDGE
    assert rects(svg) == [(EDGE, width / 2), (EDGE, width / 4)]
    assert whiskers(svg) == [(EDGE + width / 4, EDGE + width)]
    assert "0.5 [0.2, 1.0]" in svg and "0.250 (no interval)" in svg


def test_a_negative_number_has_its_bar_to_the_left_of_zero() -> None:
    svg = whisker_bars.svg([Bar("a", -1.0, (-1.5, -0.5)), Bar("b", 0.5, (0.4, 0.5))], "some")
    (left, width), (right, _) = rects(svg)
    assert left + width == pytest.approx(right) and left > EDGE


@pytest.mark.parametrize("value", [0.0, 1e-9, 3e7])
def test_any_number_alone_is_drawn(value: float) -> None:
    svg = whisker_bars.svg([Bar("<b>", value, None)], "x & y")
    assert "nan" not in svg and "<b>" not in svg and len(rects(svg)) == 1


def test_stages_of_other_sizes_have_an_axis_each_and_categories_one() -> None:
    small = [score(name, 0.5, (0.4, 0.6)) for name in ("exact", "exact/one", "exact/two")]
    large = [score("exact", 50.0, (40.0, 60.0), "64x64", "sr")]
    protocols = {key: facts for _, each in small + large for key, facts in each.items()}
    html = score_bars.html([(row["stage"], row) for row, _ in small + large], protocols)
    assert [len(rects(svg)) for svg in svgs(html)] == [1, 1, 2]
    assert all(row["protocol"] in html for row, _ in (small[0], large[0]))


def test_evaluations_share_an_axis_only_with_one_protocol() -> None:
    same = [evaluation(f"e{n}", None, score("kid", n / 10, None)) for n in (1, 2)]
    other = evaluation("other", None, score("kid", 900.0, None, "32x32"))
    html = run_scores.html([(each, "base") for each in (*same, other)])
    assert sorted(len(rects(svg)) for svg in svgs(html)) == [1, 2]


def test_a_score_without_its_protocol_is_left_out() -> None:
    row, _ = score("kid", 0.1, None)
    assert score_bars.html([("base", row)], {}) == ""
    assert score_bars.html([("base", row)], {row["protocol"]: 7}) == ""


def curve(*evaluations: EvaluationFacts) -> str:
    return next(iter(svgs(run_scores.html([(each, "base") for each in evaluations]))))


def test_evaluations_of_a_run_make_a_curve_in_the_order_of_their_weights() -> None:
    numbers = {3.0: (0.3, 0.02), 1.0: (0.1, 0.03), 8.0: (0.2, 0.05)}
    svg = curve(
        *(
            evaluation(f"sweep/w{w}", w, score("clip_score", x, None), score("kid", y, (0, 0.06)))
            for w, (x, y) in numbers.items()
        )
    )
    line = re.search(r'<polyline class="line c0" points="([^"]+)"', svg)
    places = [tuple(map(float, place.split(","))) for place in line[1].split()]
    xs, ys = zip(*places, strict=True)
    assert xs[0] < xs[2] < xs[1] and ys[2] < ys[0] < ys[1], "of weights 1, 3, 8; y grows downwards"
    assert re.findall(r"w = \d", svg) == ["w = 1", "w = 3", "w = 8"]
    assert svg.count('class="dot c0"') == 3 and svg.count('class="band c0"') == 1


def test_points_of_another_protocol_or_without_weights_make_no_line() -> None:
    pair = score("exact", 0.3, None), score("fd", 9.0, None)
    other = score("exact", 0.3, None), score("fd", 9.0, None, "8x8")
    svg = curve(evaluation("a", None, *pair), evaluation("b", None, *pair))
    assert "polyline" not in svg and svg.count("<circle") == 2
    apart = run_scores.html(
        [(evaluation("a", 1.0, *pair), "base"), (evaluation("b", 2.0, *other), "base")]
    )
    assert "<circle" not in apart


def test_points_that_coincide_are_drawn() -> None:
    same = Point("a", Side(0.0, None), Side(0.0, None))
    assert "nan" not in trade_off_chart.svg([same, same], "x", "y", True)


def test_the_page_of_runs_needs_no_matplotlib() -> None:
    code = "import sys; import imagen_lit.report.runs_page; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
