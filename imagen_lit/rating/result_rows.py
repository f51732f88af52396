"""The results as one table of numbers, a row each, for whoever computes with them."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from imagen_lit.rating.mean_score import difficulties
from imagen_lit.rating.results import Results

HEADS = "kind question category prompt system against n value low high by_difficulty winner".split()
NONE = (None, None)


def table(results: Results) -> str:
    """CSV; what a row does not have is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, HEADS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(results))
    return out.getvalue()


def _rows(results: Results) -> Iterator[dict[str, Any]]:
    for preference in results.preferences:
        systems = {"system": preference.systems[0], "against": preference.systems[1]}
        about = {
            "question": preference.question,
            "category": preference.category,
            "n": preference.votes,
            **systems,
        }
        yield {
            "kind": "preference",
            **about,
            **_interval(preference.value, preference.interval),
            "winner": preference.winner,
        }
        for name in ("first", "indifferent", "second"):
            yield {"kind": f"share {name}", **about, "value": getattr(preference, name)}
    for score in results.scores:
        yield {
            "kind": "mean score",
            "question": score.question,
            "category": score.category,
            "system": score.system,
            "n": score.votes,
            **_interval(score.value, score.interval),
            "by_difficulty": score.by_difficulty,
        }
    for difference in results.differences:
        yield {
            "kind": "difference",
            "question": difference.question,
            "category": difference.category,
            "system": difference.systems[0],
            "against": difference.systems[1],
            "n": difference.votes,
            **_interval(difference.value, difference.interval),
            "winner": difference.winner,
        }
    for strength in results.strengths:
        yield {
            "kind": "strength",
            "question": strength.question,
            "system": strength.system,
            **_interval(strength.value, strength.interval),
        }
    for agreement in results.agreements:
        yield {
            "kind": "alpha",
            "question": agreement.question,
            "n": agreement.units,
            **_interval(agreement.alpha, agreement.interval),
        }
    for prompt, value in difficulties(results.valid).items():
        yield {"kind": "difficulty", "prompt": prompt, "value": value}
    yield {"kind": "raters who count", "value": results.raters}
    yield {"kind": "raters left out", "value": len(results.inattentive)}


def _interval(value: float, interval: tuple[float, float] | None) -> dict[str, Any]:
    low, high = interval or NONE
    return {"value": value, "low": low, "high": high}
