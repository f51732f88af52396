"""A network that conditioned the drawing is no neutral judge of it."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from imagen_lit.evaluate import warn_of_own_judge
from imagen_lit.metrics.ruler import Ruler


def ruler(weights: str) -> Ruler:
    facts = {"name": "clip_score", "extractor": {"weights_sha256": weights}}
    pixels = SimpleNamespace(facts=lambda: {"name": "contrast"})
    return Ruler(
        {"clip_score": SimpleNamespace(facts=lambda: facts), "contrast": pixels},  # type: ignore[dict-item]
        Path(),
    )


def test_a_judge_that_also_read_the_prompts_is_named() -> None:
    with pytest.warns(UserWarning, match="clip_score looks with the weights that also encoded"):
        warn_of_own_judge(ruler("a1"), {"weights_sha256": "a1"})


def test_other_weights_judge_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_own_judge(ruler("b2"), {"weights_sha256": "a1"})
