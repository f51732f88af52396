"""Wilson's interval against its definition and by exact coverage; the rows against counting."""

from math import comb, sqrt

import pytest

from imagen_lit.evaluation.confidence_interval import share_interval, summary, wilson


@pytest.mark.parametrize(("right", "n"), [(1, 10), (5, 10), (37, 40), (128, 320)])
def test_the_ends_are_where_the_score_test_is_exactly_met(right: int, n: int) -> None:
    for end in wilson(right, n):
        assert abs(right / n - end) == pytest.approx(1.959963984540054 * sqrt(end * (1 - end) / n))


def test_the_interval_covers_as_often_as_it_claims_on_average() -> None:
    n, coverage = 48, []
    ends = [wilson(k, n) for k in range(n + 1)]
    for p in (i / 200 for i in range(1, 200)):
        chance = [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
        coverage.append(sum(c for c, (a, b) in zip(chance, ends, strict=True) if a <= p <= b))
    assert sum(coverage) / len(coverage) == pytest.approx(0.95, abs=0.01)


def test_none_right_and_all_right_still_have_a_width() -> None:
    assert wilson(0, 10) == (0.0, pytest.approx(0.2775, abs=1e-4))
    assert wilson(10, 10) == (pytest.approx(0.7225, abs=1e-4), 1.0)


def test_more_confidence_is_wider_and_more_trials_are_narrower() -> None:
    def width(ends: tuple[float, float]) -> float:
        return ends[1] - ends[0]

    assert width(wilson(5, 10, 0.99)) > width(wilson(5, 10)) > width(wilson(50, 100))


@pytest.mark.parametrize(("right", "n"), [(0, 0), (4, 3), (-1, 3)])
def test_impossible_counts_are_refused(right: int, n: int) -> None:
    with pytest.raises(ValueError, match="Give at least one trial"):
        wilson(right, n)


def test_rows_count_only_what_the_prompts_mention() -> None:
    yes = {"colour": True, "relation": None, "exact": True}
    no = {"colour": True, "relation": None, "exact": False}
    pair = {"colour": False, "relation": True, "exact": False}
    rows = summary([("one", "a", yes), ("one", "b", no), ("two", "c", pair)])
    assert list(rows) == ["one", "two", "all"]
    assert rows["one"] == {
        "n": 2,
        "exact": 0.5,
        "interval": wilson(1, 2),
        "colour": 1.0,
        "relation": None,
    }
    assert (rows["two"]["colour"], rows["two"]["relation"]) == (0.0, 1.0)
    assert rows["all"]["n"] == 3
    assert rows["all"]["colour"] == pytest.approx(2 / 3)
    assert rows["all"]["relation"] == 1.0


def test_images_of_one_prompt_count_as_fewer_than_those_of_many() -> None:
    right = [number % 5 < 3 for number in range(40)]
    alone = share_interval(right, range(40))
    assert alone == (wilson(24, 40), "Wilson over 40 images")
    together = [is_right for is_right in right[:10] for _ in range(4)]  # alike, four by four
    ends, method = share_interval(together, [number // 4 for number in range(40)])
    assert method == "bootstrap over 10 prompts" and ends[1] - ends[0] > 1.5 * 0.29
    same = share_interval([True] * 8, [0, 0, 0, 0, 1, 1, 1, 1])
    assert same == (wilson(2, 2), "Wilson over 2 prompts")


def test_no_results_make_no_rows() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        summary([])
