"""A network that conditioned the drawing is no neutral judge of it, and one that hardly learnt is
none."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from imagen_lit.contrastive import recall_record
from imagen_lit.contrastive.small_clip import SmallClip
from imagen_lit.evaluate import warn_of_own_judge, warn_of_weak_judge
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


@pytest.mark.parametrize(("share", "is_weak"), [(1 / 32, True), (0.5, False), (None, False)])
def test_a_judge_that_hardly_learnt_is_named(
    tmp_path: Path, share: float | None, is_weak: bool
) -> None:
    if share is not None:
        recall_record.write(tmp_path, share, 64)
    metric = SimpleNamespace(extractor=SmallClip("clip_small", str(tmp_path)))
    own = Ruler({"clip_score": metric}, Path())  # type: ignore[dict-item]
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        warn_of_weak_judge(own)
    words = [str(each.message) for each in heard]
    assert len(words) == is_weak
    assert all("clip_score says hardly" in each and "3.1% of unseen" in each for each in words)
