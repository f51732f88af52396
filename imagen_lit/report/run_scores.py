"""What evaluations measured of one run: bars with whiskers, a bar for each evaluation, and quality
against alignment where several have both."""

from collections.abc import Mapping, Sequence
from typing import Any

from imagen_lit.report import page, score_bars, trade_off_chart
from imagen_lit.report.run_columns import Evaluations
from imagen_lit.report.trade_off_chart import Point, Side
from imagen_lit.run.evaluation_facts import EvaluationFacts

ALIGNMENT = ("clip_score", "exact", "r_precision")  # the first that several have
QUALITY = ("fd", "kid", "cmmd")

Row = Mapping[str, Any]
Pair = tuple[EvaluationFacts, Row, Row]


def html(evaluations: Evaluations) -> str:
    """Empty without any; each evaluation comes with the stage of its cascade that the run was."""
    ordered = _ordered(evaluations)
    rows = [
        (evaluation.name, row)
        for evaluation, stage in ordered
        for row in evaluation.rows
        if row["stage"] == stage
    ]
    protocols = {key: facts for each, _ in ordered for key, facts in each.protocols.items()}
    return trade_off(ordered) + score_bars.html(rows, protocols)


def trade_off(evaluations: Evaluations) -> str:
    """Quality against alignment; empty unless several have both, under the same protocols."""
    evaluations = _ordered(evaluations)
    for y in QUALITY:
        for x in ALIGNMENT:
            pairs = _pairs(evaluations, x, y)
            if len(pairs) < 2:
                continue
            stages = {id(evaluation): stage for evaluation, stage in evaluations}
            weights = [_weight(each, stages[id(each)]) for each, _, _ in pairs]
            is_line = len({*weights}) == len(weights) and -1.0 not in weights
            points = [
                Point(
                    f"w = {weight:g}" if is_line else each.name.rpartition("/")[2],
                    Side(own["value"], own["interval"]),
                    Side(other["value"], other["interval"]),
                )
                for (each, own, other), weight in zip(pairs, weights, strict=True)
            ]
            title = f"{y} against {x}" + (", by guidance weight w" if is_line else "")
            chart = trade_off_chart.svg(points, x, y, is_line)
            hashes = f"protocols: {x} {pairs[0][1]['protocol']}, {y} {pairs[0][2]['protocol']}"
            chart += f'<p class="soft">{hashes}</p>'
            return f'<div class="plots">{page.figure(title, chart)}</div>'
    return ""


def _ordered(evaluations: Evaluations) -> Evaluations:
    return sorted(evaluations, key=lambda pair: (_weight(*pair), pair[0].name))


def _pairs(evaluations: Evaluations, x: str, y: str) -> Sequence[Pair]:
    """Those whose two scores have the protocols that most evaluations have them with."""
    by_protocols: dict[tuple[str, str], list[Pair]] = {}
    for evaluation, stage in evaluations:
        own = {row["metric"]: row for row in evaluation.rows if row["stage"] == stage}
        if x in own and y in own:
            key = own[x]["protocol"], own[y]["protocol"]
            by_protocols.setdefault(key, []).append((evaluation, own[x], own[y]))
    return max(by_protocols.values(), key=len, default=[])


def _weight(evaluation: EvaluationFacts, stage: str) -> float:
    return evaluation.guidance.get(stage, -1.0)
