"""Recall at one counts what it says."""

import numpy as np
import pytest

from imagen_lit.contrastive.retrieval import recall_at_1

NAMES = [f"caption {n}" for n in range(8)]


def test_features_that_agree_always_find_their_own() -> None:
    unit = np.eye(8, dtype=np.float32)
    assert recall_at_1(unit, 3 * unit, NAMES, among=8) == 1
    assert recall_at_1(unit, 3 * unit[::-1], NAMES, among=8) == 0
    assert recall_at_1(unit, unit[[1, 0, *range(2, 8)]], NAMES, among=8) == 0.75


def test_a_caption_that_is_the_same_is_no_miss() -> None:
    unit, twins = np.eye(8), ["a thing", "A thing", *NAMES[2:]]
    assert recall_at_1(unit, unit[[1, 0, *range(2, 8)]], twins, among=8) == 1


def test_an_image_chooses_among_so_many_only() -> None:
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(2, 8192, 16))
    names = [str(n) for n in range(8192)]
    for among in (2, 16, 64):
        chance = recall_at_1(images, texts, names, among)
        assert chance == pytest.approx(1 / among, rel=0.3)
    assert recall_at_1(images[:7], texts[:7], names[:7], 4) * 4 % 1 == 0, "whole groups alone"
