"""The results as the paper's bar charts: over all prompts (Fig. 3), by category (A.7, A.15, A.16),
and mean scores."""

from collections.abc import Sequence

from imagen_lit.rating import bar_chart
from imagen_lit.rating.bar_chart import Bar, Panel
from imagen_lit.rating.preference import Preference
from imagen_lit.rating.results import Results
from imagen_lit.rating.trial import ALL

UNIT = "preferred by raters, %"


def charts(results: Results) -> dict[str, bytes]:
    """The files by name, each chart as SVG and PNG."""
    files: dict[str, bytes] = {}

    def add(name: str, panels: Sequence[Panel], are_wide: bool) -> None:
        if panels:
            drawing = bar_chart.draw(panels, are_wide)
            files.update({f"{name}{ending}": content for ending, content in drawing.items()})

    pairs = list(dict.fromkeys(each.systems for each in results.preferences))
    add("preference", [_overall(results, pair) for pair in pairs], False)
    for number, pair in enumerate(pairs, 1):
        add(f"categories_{number}", _by_category(results, pair), True)
    add("scores", _scores(results), True)
    return files


def _overall(results: Results, pair: tuple[str, str]) -> Panel:
    rows = [e for e in results.preferences if e.systems == pair and e.category == ALL]
    return _panel(f"{pair[0]} and {pair[1]}", pair, {each.question: each for each in rows})


def _by_category(results: Results, pair: tuple[str, str]) -> list[Panel]:
    questions = list(dict.fromkeys(e.question for e in results.preferences if e.systems == pair))
    panels = []
    for question in questions:
        rows = {
            each.category: each
            for each in results.preferences
            if each.systems == pair and each.question == question and each.category != ALL
        }
        if rows:
            panels.append(_panel(question, pair, dict(sorted(rows.items()))))
    return panels


def _panel(title: str, pair: tuple[str, str], rows: dict[str, Preference]) -> Panel:
    first = [Bar(100 * each.value, _percent(each.interval)) for each in rows.values()]
    second = [
        Bar(100 - 100 * each.value, _percent(each.interval and _other(each.interval)))
        for each in rows.values()
    ]
    return Panel(title, list(rows), {pair[0]: first, pair[1]: second}, UNIT, (0, 100), 50)


def _percent(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if interval is None else (100 * interval[0], 100 * interval[1])


def _other(interval: tuple[float, float]) -> tuple[float, float]:
    return 1 - interval[1], 1 - interval[0]


def _scores(results: Results) -> list[Panel]:
    questions = list(dict.fromkeys(each.question for each in results.scores))
    return [_score_panel(results, question) for question in questions]


def _score_panel(results: Results, question: str) -> Panel:
    rows = {
        (each.category, each.system): Bar(each.value, each.interval)
        for each in results.scores
        if each.question == question
    }
    labels = list(dict.fromkeys(category for category, _ in rows))
    systems = list(dict.fromkeys(system for _, system in rows))
    series = {name: [rows.get((label, name)) for label in labels] for name in systems}
    top = next(top for top in (1.0, 10.0, 100.0) if all(bar.value <= top for bar in rows.values()))
    highest = max(bar.interval[1] if bar.interval else bar.value for bar in rows.values())
    return Panel(question, labels, series, "mean score", (0.0, max(top, highest)))
