"""Two protocols share no column and no plot."""

import math

import pytest
from score_rows import PROTOCOLS, along_guidance, by_category, protocols, row

from imagen_lit.evaluation.score import Score
from imagen_lit.report import comparable_rows, score_grid
from imagen_lit.report.category_bars import category_bars
from imagen_lit.report.parameter_curve import parameter_curve
from imagen_lit.report.trade_off_curve import trade_off

OTHER = Score("fd", 9.0, (8.0, 10.0), 320, "bootstrap", PROTOCOLS["fd"] | {"n": 320})


@pytest.mark.parametrize(
    ("show", "place"),
    [
        (score_grid.grid, "a column"),
        (lambda rows, facts: category_bars(rows, facts, "fd"), "a plot"),
        (lambda rows, facts: parameter_curve(rows, facts, "fd", "guidance"), "a plot"),
        (lambda rows, facts: trade_off(rows, facts, "clip_score", "fd"), "a plot"),
        (lambda rows, facts: trade_off(rows, facts, "fd", "clip_score"), "a plot"),
    ],
)
def test_a_second_protocol_of_a_metric_is_refused(show, place: str) -> None:  # noqa: ANN001
    rows = [*along_guidance(), {"system": "x", "guidance": 1.0} | OTHER.row()]
    with pytest.raises(ValueError, match=rf"cannot share {place} \(n is 640 there, 320 here\)"):
        show(rows, protocols(OTHER))


def test_a_hash_without_its_facts_is_refused() -> None:
    with pytest.raises(ValueError, match="Give `protocols` of its"):
        score_grid.grid(by_category(), {})


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "0.3"])
def test_a_score_that_is_no_number_is_refused(value) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match=r"a score of fd is .* Leave it out"):
        comparable_rows.checked(row("fd", 1.0, 0.1) | {"value": value})


def test_an_interval_with_one_end_is_refused() -> None:
    with pytest.raises(ValueError, match="Leave it out"):
        comparable_rows.checked(row("fd", 1.0, 0.1) | {"interval": [0.9]})


def test_a_metric_that_nobody_scored_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="Choose one of these metrics: clip_score"):
        comparable_rows.of_metric(by_category(), protocols(), "kid", "a plot")
