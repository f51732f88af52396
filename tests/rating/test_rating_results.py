"""What votes say: shares, scores, strengths and agreement against truths known in advance."""

import csv
import io
import math
from itertools import combinations

import numpy as np
import pytest

from imagen_lit.rating import ballot, result_charts, result_rows, result_tables
from imagen_lit.rating.attention import inattentive
from imagen_lit.rating.ballot import Ballot
from imagen_lit.rating.coco import ALIGNMENT as DESCRIBES
from imagen_lit.rating.coco import PHOTOREALISM
from imagen_lit.rating.database import Vote
from imagen_lit.rating.drawbench import ALIGNMENT, QUALITY
from imagen_lit.rating.fine import ALIGNMENT as POINTS
from imagen_lit.rating.fine import DIFFICULTY, SKILLS
from imagen_lit.rating.mean_score import differences, mean_scores
from imagen_lit.rating.preference import preferences
from imagen_lit.rating.results import compute
from imagen_lit.rating.strength import strengths
from imagen_lit.rating.trial import PictureSet, Trial


def pair(prompt: str = "p", category: str = "Colors", systems: str = "ab") -> Trial:
    sets = tuple(PictureSet(system, ("1.png",)) for system in systems)
    return Trial(prompt, (category,), sets, (QUALITY, ALIGNMENT))


def vote(rater: int, trial: int, places: tuple[int, ...], answer: int, question: int = 0) -> Vote:
    return Vote(rater, trial, question, places, answer, 2.0, "2026-01-01T00:00:00+00:00")


def test_a_vote_counts_for_its_system_on_whichever_side() -> None:
    """Set A is what is on the left: one system for one rater, the other for another."""
    votes = [vote(0, 0, (0, 1), 0), vote(1, 0, (1, 0), 0), vote(2, 0, (1, 0), 1)]
    ballots = ballot.of([pair()], votes)
    assert [each.value for each in ballots] == [1.0, 0.0, 0.5]
    assert [each.sides for each in ballots] == [("a", "b"), ("b", "a"), ("b", "a")]
    assert {each.systems for each in ballots} == {("a", "b")}


def test_shares_and_preference_are_those_of_the_votes() -> None:
    votes = [vote(r, r % 2, (0, 1), a) for r, a in enumerate([0, 0, 0, 1, 2, 0, 1, 2])]
    ballots = ballot.of([pair("p"), pair("q", "Text")], votes)
    overall, colors, text = sorted(preferences(ballots), key=lambda each: -each.votes)
    assert (overall.first, overall.indifferent, overall.second) == (0.5, 0.25, 0.25)
    assert overall.value == 0.625 and overall.category == "all"
    assert colors.value == np.mean([1, 1, 0, 0.5]) and text.value == np.mean([1, 0.5, 1, 0])


def test_a_winner_is_named_only_where_the_interval_allows_it() -> None:
    trials = [pair(f"p{n}") for n in range(8)]
    clear = [vote(r, n, (0, 1), 0) for r in range(6) for n in range(8)]
    close = [vote(r, n, (0, 1), 0 if (r + n) % 3 else 2) for r in range(2) for n in range(3)]
    assert [each.winner for each in preferences(ballot.of(trials, clear))] == ["a", "a"]
    assert [each.winner for each in preferences(ballot.of(trials, close))] == [None, None]
    turned = [vote(v.rater, v.trial, (1, 0), v.answer) for v in clear]
    assert [each.winner for each in preferences(ballot.of(trials, turned))] == ["b", "b"]


def control(right: float) -> Trial:
    return Trial("c", (), (PictureSet("original", ("1.png",)),), (DESCRIBES,), right)


@pytest.mark.parametrize(("right", "is_out"), [(10, False), (8, False), (7, True), (0, True)])
def test_raters_below_80_percent_of_the_controls_are_left_out(right: int, is_out: bool) -> None:
    votes = [vote(3, 0, (0,), 2 if n < right else 0) for n in range(10)]
    assert inattentive(ballot.of([control(0.0)], votes)) == ({3} if is_out else set())


def test_left_out_raters_and_controls_are_in_no_number_but_in_every_rating() -> None:
    trials = [pair(), control(0.0)]
    votes = [vote(0, 0, (0, 1), 0), vote(0, 1, (0,), 2), vote(1, 0, (0, 1), 2), vote(1, 1, (0,), 0)]
    results = compute(trials, votes)
    assert (results.inattentive, results.raters) == ({1}, 1)
    assert [each.value for each in results.preferences] == [1.0, 1.0]
    assert not results.scores, "an answer to a control is no score"
    rows = list(csv.DictReader(io.StringIO(ballot.table(results.every))))
    assert [row["rater"] for row in rows] == ["1", "1", "2", "2"]
    assert [row["is_right"] for row in rows] == ["", "True", "", "False"]
    words = str(result_tables.tables(results))
    assert "1 of 2 who met controls" in words


def test_yes_somewhat_and_no_count_100_50_and_0() -> None:
    trials = [
        Trial(f"p{n}", ("no people",), (PictureSet("ours", ("1",)),), (DESCRIBES,))
        for n in range(4)
    ]
    votes = [vote(0, n, (0,), answer) for n, answer in enumerate([0, 0, 1, 2])]
    for score in mean_scores(ballot.of(trials, votes)):
        assert (score.value, score.votes) == (62.5, 4)


def test_the_papers_table_2_is_there_for_a_study_on_coco() -> None:
    sets = (PictureSet("ours", ("1",)), PictureSet("original", ("1",)))
    trials = [Trial("p", ("no people",), sets, (PHOTOREALISM,))]
    trials += [Trial("p", ("no people",), (each,), (DESCRIBES,)) for each in sets]
    votes = [vote(r, 0, (0, 1), int(r > 1)) for r in range(5)]
    votes += [vote(r, 1 + n, (0,), (r + n) % 3) for r in range(5) for n in range(2)]
    tables = {table.title: table for table in result_tables.tables(compute(trials, votes))}
    rows = tables["As in the paper's Table 2"].rows
    assert [row[:2] for row in rows] == [
        ("all", "original"),
        ("all", "ours"),
        ("no people", "original"),
        ("no people", "ours"),
    ]
    assert rows[0][2] == "50.0 %" and rows[1][2].startswith("40.0 %")


def fine_trials() -> list[Trial]:
    sets = (PictureSet("a", ("1",)), PictureSet("b", ("1",)))
    return [
        Trial(name, (), sets, (DIFFICULTY, POINTS, SKILLS["counts"])) for name in ("easy", "hard")
    ]


def fine_votes() -> list[Vote]:
    """Difficulty 1 and 9; a: 10 and 2, b: 4 and 6 points, each by two raters."""
    votes = []
    for rater in range(2):
        votes += [vote(rater, 0, (), 0, 0), vote(rater, 1, (), 8, 0)]
        votes += [vote(rater, 0, (0,), 9, 1), vote(rater, 1, (0,), 1, 1)]
        votes += [vote(rater, 0, (1,), 3, 1), vote(rater, 1, (1,), 5, 1)]
        votes += [vote(rater, 0, (0,), 3, 2), vote(rater, 1, (0,), 0, 2)]
    return votes


def test_scores_are_weighted_by_the_raters_difficulty() -> None:
    scores = {
        each.system: each
        for each in mean_scores(ballot.of(fine_trials(), fine_votes()))
        if each.question == "alignment"
    }
    assert (scores["a"].value, scores["b"].value) == (6.0, 5.0)
    assert scores["a"].by_difficulty == pytest.approx((1 * 10 + 9 * 2) / 10)
    assert scores["b"].by_difficulty == pytest.approx((1 * 4 + 9 * 6) / 10)


def test_an_answer_that_does_not_apply_is_counted_and_in_no_mean() -> None:
    (score,) = (
        each
        for each in mean_scores(ballot.of(fine_trials(), fine_votes()))
        if each.question == "counts"
    )
    assert (score.votes, score.silent, score.value) == (2, 2, 1.0)


def test_differences_are_taken_within_a_rater_and_a_prompt() -> None:
    """A strict rater and a mild one, who agree on the difference: there is no doubt about it."""
    trials = [Trial(f"p{n}", (), fine_trials()[0].sets, (POINTS,)) for n in range(4)]
    votes = []
    for rater, points in enumerate((1, 7)):
        for n in range(4):
            more = 2 if (rater, n) == (0, 0) else 1
            votes += [vote(rater, n, (0,), points + more), vote(rater, n, (1,), points)]
    (difference,) = differences(ballot.of(trials, votes))
    assert (difference.value, difference.votes, difference.winner) == (1.125, 8, "a")
    alike = [each for each in votes if each.trial > 0]
    (difference,) = differences(ballot.of(trials, alike))
    assert (difference.value, difference.interval, difference.winner) == (1.0, None, None)


def test_the_interval_of_a_score_stays_on_its_scale() -> None:
    trials = [Trial(f"p{n}", (), (PictureSet("a", ("1",)),), (POINTS,)) for n in range(3)]
    votes = [vote(rater, n, (0,), 9 - (rater == n == 0)) for rater in range(3) for n in range(3)]
    score = mean_scores(ballot.of(trials, votes))[0]
    assert score.value == pytest.approx(89 / 9)
    assert 1 <= score.interval[0] < 89 / 9 < score.interval[1] <= 10


STRENGTHS = {"weak": -0.9, "middle": 0.1, "strong": 0.8}


def simulated(votes: int, seed: int, ties: float = 0.4) -> list[Ballot]:
    """Votes by Davidson's (1970) model: the chance of a tie goes with the root of the product."""
    draw, ballots = np.random.default_rng(seed), []
    pairs = list(combinations(STRENGTHS, 2))
    for number in range(votes):
        one, other = pairs[number % len(pairs)]
        p, q = math.exp(STRENGTHS[one]), math.exp(STRENGTHS[other])
        chances = np.array([p, 2 * ties * math.sqrt(p * q), q])
        value = float(draw.choice([1.0, 0.5, 0.0], p=chances / chances.sum()))
        rater, prompt = number % 25, f"p{number // 25 % 40}"
        ballots.append(
            Ballot(
                rater,
                prompt,
                ("all",),
                "q",
                "pair",
                (one, other),
                (one, other),
                "",
                value,
                (0.0, 1.0),
                None,
                None,
                "",
            )
        )
    return ballots


def test_bradley_terry_recovers_known_strengths() -> None:
    found = {each.system: each for each in strengths(simulated(6000, 1), resamples=20)}
    assert {name: each.value for name, each in found.items()} == pytest.approx(STRENGTHS, abs=0.1)
    middle = sum(each.value for each in found.values())
    assert middle == pytest.approx(0, abs=1e-9)


def test_the_interval_of_a_strength_holds_the_truth() -> None:
    """90 % at least of three strengths in 8 simulated studies: it is a careful interval."""
    hits = [
        each.interval[0] <= STRENGTHS[each.system] <= each.interval[1]
        for seed in range(8)
        for each in strengths(simulated(900, seed), resamples=60)
    ]
    assert np.mean(hits) >= 0.9 and len(hits) == 24


def test_two_systems_need_no_strengths_and_a_perfect_one_stays_finite() -> None:
    two = [each for each in simulated(300, 0) if "weak" not in each.systems]
    assert strengths(two) == []
    perfect = [
        Ballot(n, "p", ("all",), "q", "pair", pair, pair, "", 1.0, (0.0, 1.0), None, None, "")
        for n, pair in enumerate([("a", "b"), ("b", "c"), ("a", "c")] * 9)
    ]
    found = {each.system: each.value for each in strengths(perfect, resamples=20)}
    assert found["a"] > found["b"] > found["c"] and all(map(math.isfinite, found.values()))


def test_agreement_is_1_for_raters_who_agree_and_0_for_chance() -> None:
    draw = np.random.default_rng(0)
    trials = [pair(f"p{n}") for n in range(40)]
    same = [vote(r, n, (0, 1), 0 if n % 3 else 2) for r in range(4) for n in range(40)]
    (agreement,) = compute(trials, same).agreements
    assert agreement.alpha == 1.0 and agreement.units == 40
    chance = [vote(r, n, (0, 1), int(draw.integers(3))) for r in range(4) for n in range(40)]
    (agreement,) = compute(trials, chance).agreements
    low, high = agreement.interval
    assert abs(agreement.alpha) < 0.1 and low <= agreement.alpha <= high


def test_alpha_is_krippendorffs_own_example() -> None:
    """The reliability data of Krippendorff (2011, "Computing Krippendorff's alpha-reliability",
    section C), interval metric: 0.849."""
    data = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    sets = (PictureSet("a", ("1",)),)
    trials = [Trial(f"p{n}", (), sets, (POINTS,)) for n in range(12)]
    votes = [
        vote(rater, unit, (0,), int(value) - 1)
        for rater, row in enumerate(data)
        for unit, value in enumerate(row)
        if value is not None
    ]
    (agreement,) = compute(trials, votes).agreements
    assert agreement.alpha == pytest.approx(0.849, abs=5e-4)


def test_results_of_any_votes_are_tables_rows_and_charts() -> None:
    """Also of none, and of one."""
    trials = [pair(), pair("q", "Text"), *fine_trials()]
    votes = [vote(0, 0, (1, 0), 0), vote(0, 1, (0, 1), 1)]
    for some in (
        [],
        votes[:1],
        votes,
        [vote(v.rater, v.trial + 2, v.places, v.answer, v.question) for v in fine_votes()],
    ):
        results = compute(trials, some)
        assert {len(t.heads) for t in result_tables.tables(results)} >= {2}
        for table in result_tables.tables(results):
            assert all(len(row) == len(table.heads) for row in table.rows)
        assert result_rows.table(results).startswith("kind,question")
        charts = result_charts.charts(results)
        assert bool(charts) == bool(some)
        for name, content in charts.items():
            assert content.lstrip().startswith(b"\x89PNG" if name.endswith(".png") else b"<?xml")
