"""Rows of scores as `scores.json` has them: two systems along guidance weights or categories."""

from typing import Any

from imagen_lit.evaluation.score import Score

PROTOCOLS = {
    "fd": {"metric": "fd", "extractor": {"name": "efficientnet_lite0", "sha256": "ab12"}, "n": 640},
    "clip_score": {"metric": "clip_score", "prefix": "", "n": 640},
}


def row(metric: str, value: float, reach: float | None, **labels: Any) -> dict[str, Any]:
    """A score with a symmetric interval, and labels."""
    interval = None if reach is None else (value - reach, value + reach)
    method = "bootstrap over 64 prompts"
    return labels | Score(metric, value, interval, 640, method, PROTOCOLS[metric]).row()


def protocols(*others: Score) -> dict[str, Any]:
    """The facts of each hash."""
    scores = [Score(name, 0.0, None, 1, "", facts) for name, facts in PROTOCOLS.items()]
    return {score.row()["protocol"]: score.protocol for score in [*scores, *others]}


def along_guidance(systems: tuple[str, ...] = ("base", "t5_nano")) -> list[dict[str, Any]]:
    """Alignment rises with guidance, and quality has its best in the middle."""
    rows = []
    for number, system in enumerate(systems):
        for place, weight in enumerate((1.0, 1.35, 1.5, 2.0, 3.0, 5.0)):
            quality = 12 + 3 * number + 1.1 * (place - 2) ** 2
            rows.append(row("fd", quality, 0.6, system=system, guidance=weight))
            alignment = 0.22 + 0.012 * place - 0.0008 * place**2 - 0.006 * number
            rows.append(row("clip_score", alignment, 0.0021, system=system, guidance=weight))
    return rows


def by_category() -> list[dict[str, Any]]:
    """Two systems over DrawBench's kinds of prompts."""
    kinds = ("Colors", "Conflicting", "Counting", "DALL-E", "Descriptions", "Gary Marcus et al.")
    return [
        row("clip_score", 0.24 + 0.01 * place - 0.015 * number, 0.012, system=system, category=kind)
        for number, system in enumerate(("ours", "an imported folder"))
        for place, kind in enumerate(kinds)
    ]
