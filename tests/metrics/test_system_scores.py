"""Images of two systems are paired by prompt and seed where both are known, by their number among
those of a prompt where a seed is not, and as images of their own where no prompt is.
"""

import numpy as np
import pytest
from scipy import stats

from imagen_lit.evaluation.paired_difference import paired_difference
from imagen_lit.metrics import measured
from imagen_lit.metrics.system_scores import SystemScores

ROW = {"stage": "", "metric": "chroma", "protocol": "aa"}


def system(name: str, values: np.ndarray, prompts: list[str], seeds: list[int]) -> SystemScores:
    arrays = {measured.PROMPTS: np.array(prompts), measured.SEEDS: np.array(seeds)}
    arrays[measured.key(ROW)] = values
    return SystemScores(name, [ROW], {"aa": {}}, {}, arrays)


@pytest.mark.parametrize("count", [7, 40])
def test_images_without_prompts_are_each_one_for_itself(count: int) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=count), rng.normal(size=count) + 3
    one, other = (system(n, v, [""] * count, [-1] * count) for n, v in (("a", x), ("b", y)))
    pair = one.image_scores(ROW, other), other.image_scores(ROW, one)
    result = paired_difference(*pair, True)  # type: ignore[arg-type]
    assert result.value == pytest.approx(y.mean() - x.mean()) and result.winner == "b"
    theirs = stats.ttest_rel(y, x).confidence_interval(0.95)
    assert result.interval == pytest.approx((theirs.low, theirs.high), rel=0.1)


def test_a_folder_without_seeds_is_paired_by_prompt() -> None:
    ours = system("ours", np.arange(4.0), ["a", "a", "b", "b"], [0, 1, 0, 1])
    theirs = system("theirs", np.arange(4.0) * 10, ["b", "a", "b", "a"], [-1] * 4)
    pair = ours.image_scores(ROW, theirs), theirs.image_scores(ROW, ours)
    assert pair[0].values == {("a", 0): 0, ("a", 1): 1, ("b", 0): 2, ("b", 1): 3}
    assert pair[1].values == {("b", 0): 0, ("a", 0): 10, ("b", 1): 20, ("a", 1): 30}
    assert paired_difference(*pair, True).value == pytest.approx(15 - 1.5)


def test_known_seeds_decide() -> None:
    one = system("one", np.array([1.0, 2.0]), ["a", "a"], [0, 1])
    other = system("other", np.array([5.0, 7.0]), ["a", "a"], [1, 2])
    pair = one.image_scores(ROW, other), other.image_scores(ROW, one)
    assert set(pair[0].values) & set(pair[1].values) == {("a", 1)}
