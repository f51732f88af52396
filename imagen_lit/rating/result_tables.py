"""The results as tables of text, for the page and the terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagen_lit.basics.short_form import quantity
from imagen_lit.rating.mean_score import MeanScore
from imagen_lit.rating.preference import Preference
from imagen_lit.rating.results import Results
from imagen_lit.rating.trial import ALL

CLUSTERS = "clustered by rater and by prompt"
NO_WINNER = "–"
PREFERENCE = "systems, question, category, votes, first, neither, second, for the first, preferred"


@dataclass(frozen=True)
class Table:
    """Rows of text under their heads, with a sentence that says how to read them."""

    title: str
    words: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(results: Results) -> list[Table]:
    """Those that these results have."""
    makers = (_preferences, _paper, _scores, _differences, _strengths, _agreements, _raters)
    return [table for make in makers if (table := make(results)) and table.rows]


def _preferences(results: Results) -> Table:
    rows = [
        (
            f"{each.systems[0]} : {each.systems[1]}",
            each.question,
            each.category,
            f"{each.votes:,}",
            _percent(each.first),
            _percent(each.indifferent),
            _percent(each.second),
            _percent(each.value, each.interval),
            each.winner or NO_WINNER,
        )
        for each in results.preferences
    ]
    return Table(
        "Preference",
        "The shares of raters who prefer the first set, neither and the second; and the preference "
        f"for the first, an indifferent answer counting half, with its 95 % interval, {CLUSTERS}. "
        "A system is called preferred where the interval lies on one side of 50 %.",
        PREFERENCE.split(", "),
        rows,
    )


def _paper(results: Results) -> Table | None:
    """The layout of Imagen's Table 2; the originals' photorealism is 50 % by definition."""
    real = {(each.systems[0], each.category): each for each in results.preferences}
    if not any(each.question == "photorealism" for each in results.preferences):
        return None
    originals = {each.systems[1] for each in results.preferences}
    rows = []
    for score in sorted(
        results.scores, key=lambda e: (e.category != ALL, e.category, e.system not in originals)
    ):
        preference = real.get((score.system, score.category))
        half = "50.0 %" if score.system in originals else _plus_minus(preference)
        rows.append((score.category, score.system, half, _plus_minus(score)))
    return Table(
        "As in the paper's Table 2",
        "How often raters take the image for the more photorealistic one, and how well its caption "
        "describes it, where yes, somewhat and no count 100, 50 and 0. The ± is half of the 95 % "
        f"interval, {CLUSTERS}.",
        ("captions", "images", "photorealism", "alignment"),
        rows,
    )


def _scores(results: Results) -> Table:
    is_weighted = any(each.by_difficulty is not None for each in results.scores)
    rows = [
        (
            each.question,
            each.category,
            each.system,
            f"{each.votes:,}",
            f"{each.silent:,}",
            _number(each.value, each.interval),
            *([_number(each.by_difficulty)] if is_weighted else []),
        )
        for each in results.scores
    ]
    weight = " Weighted: by how hard raters find each prompt." if is_weighted else ""
    return Table(
        "Scores",
        f"Means with 95 % intervals, {CLUSTERS}. Votes that the question does not apply are "
        f"counted apart.{weight}",
        ("question", "category", "system", "votes", "does not apply", "mean")
        + (("weighted",) if is_weighted else ()),
        rows,
    )


def _differences(results: Results) -> Table:
    rows = [
        (
            f"{each.systems[0]} − {each.systems[1]}",
            each.question,
            each.category,
            f"{each.votes:,}",
            _number(each.value, each.interval),
            each.winner or NO_WINNER,
        )
        for each in results.differences
    ]
    return Table(
        "Differences of scores",
        f"Within a rater and a prompt, with 95 % intervals, {CLUSTERS}. A system is called better "
        "where the interval lies on one side of 0.",
        ("systems", "question", "category", "pairs of votes", "difference", "better"),
        rows,
    )


def _strengths(results: Results) -> Table:
    rows = [
        (each.question, each.system, _number(each.value, each.interval), _percent(each.chance))
        for each in results.strengths
    ]
    return Table(
        "Strengths (Bradley–Terry with ties)",
        "Logarithms, 0 in the mean of all systems, with 95 % intervals from resampling raters and "
        "prompts; and the chance to be preferred to such a mean system, where one is preferred.",
        ("question", "system", "strength", "chance"),
        rows,
    )


def _agreements(results: Results) -> Table:
    rows = [
        (each.question, f"{each.units:,}", f"{each.raters:,}", _number(each.alpha, each.interval))
        for each in results.agreements
    ]
    return Table(
        "Agreement of raters",
        "Krippendorff's alpha with the 95 % interval of his bootstrap: 1 where all raters agree, 0 "
        "where they agree no more than by chance.",
        ("question", "things judged", "raters", "alpha"),
        rows,
    )


def _raters(results: Results) -> Table:
    return Table("Raters", "", ("", ""), list(_rater_rows(results)))


def _rater_rows(results: Results) -> Iterator[tuple[str, str]]:
    yield "raters who count", f"{results.raters:,}"
    if results.controls:
        words = f"{len(results.inattentive):,} of {len(results.controls):,} who met controls"
        yield "left out, with fewer than 80 % of the controls right", words
    yield "votes that count", f"{len(results.valid):,}"
    if results.seconds is not None:
        yield "median time of an answer", f"{results.seconds:.1f} s"
    for systems, left, votes in _sides(results):
        yield f"{systems} on the left", f"{left:,} of {quantity(votes, 'vote')}"


def _sides(results: Results) -> Iterator[tuple[str, int, int]]:
    pairs: dict[tuple[str, ...], list[bool]] = {}
    for each in results.valid:
        if each.subject == "pair":
            pairs.setdefault(each.systems, []).append(each.sides[0] == each.systems[0])
    for systems, left in pairs.items():
        yield f"{systems[0]} (against {systems[1]})", sum(left), len(left)


def _percent(value: float, interval: tuple[float, float] | None = None) -> str:
    ends = "" if interval is None else f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
    return f"{100 * value:.1f} %{ends}"


def _number(value: float | None, interval: tuple[float, float] | None = None) -> str:
    if value is None:
        return ""
    ends = "" if interval is None else f" [{interval[0]:.2f}, {interval[1]:.2f}]"
    return f"{value:.2f}{ends}"


def _plus_minus(result: Preference | MeanScore | None) -> str:
    if result is None:
        return ""
    scale = 100 if isinstance(result, Preference) else 1
    half = ""
    if result.interval is not None:
        half = f" ± {scale * (result.interval[1] - result.interval[0]) / 2:.2f}"
    return f"{scale * result.value:.1f} %{half}"
