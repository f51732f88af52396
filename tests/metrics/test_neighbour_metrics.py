"""Precision, recall, density, coverage and nearest training images against loops over all pairs."""

from pathlib import Path

import numpy as np
import pytest
from toy_sample import FeatureTable, pair, table_images

from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation import jackknife
from imagen_lit.metrics import neighbours
from imagen_lit.metrics.block_share import any_by_block, pairs, share_without_each
from imagen_lit.metrics.density_coverage import DensityCoverage
from imagen_lit.metrics.nearest_training import NearestTraining
from imagen_lit.metrics.precision_recall import PrecisionRecall, is_inside, is_inside_by_block
from imagen_lit.metrics.sample import Sample


def clouds(n: int, m: int, seed: int, width: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, width)) * 0.8 + 0.5, rng.normal(size=(m, width))
    return np.float32(x), np.float32(y)


def gap(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a.astype(np.float64) - b))


def reach(x: np.ndarray, k: int) -> list[float]:
    """How far the k-th neighbour of each lies."""
    return [sorted(gap(a, b) for j, b in enumerate(x) if j != i)[k - 1] for i, a in enumerate(x)]


def scores_of(metric: object, *samples: Sample) -> dict[str, float]:
    assert all(metric.extract(each) for each in samples)
    return {score.metric: score.value for score in metric.scores(*samples)}


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ROWS", 7)


def test_precision_and_recall_equal_loops_over_all_pairs(tmp_path: Path) -> None:
    x, y = clouds(45, 38, 0, width=2)
    extractor, sample, real = pair(tmp_path, x, y)
    own, reals = reach(x, 3), reach(y, 3)
    precision = np.mean([any(gap(a, b) <= reals[j] for j, b in enumerate(y)) for a in x])
    recall = np.mean([any(gap(a, b) <= own[i] for i, a in enumerate(x)) for b in y])
    assert scores_of(PrecisionRecall(extractor), sample, real) == pytest.approx(
        {"precision": precision, "recall": recall}, rel=1e-12
    )
    assert 0 < precision < 1 and 0 < recall < 1


def test_density_and_coverage_equal_loops_over_all_pairs(tmp_path: Path) -> None:
    x, y = clouds(45, 38, 1)
    extractor, sample, real = pair(tmp_path, x, y)
    reals = reach(y, 5)
    balls = [[gap(a, b) <= reals[j] for a in x] for j, b in enumerate(y)]
    expected = {"density": np.sum(balls) / (5 * len(x)), "coverage": np.any(balls, axis=1).mean()}
    assert scores_of(DensityCoverage(extractor), sample, real) == pytest.approx(expected)


def test_a_set_covers_itself_and_one_far_away_nothing(tmp_path: Path) -> None:
    _, y = clouds(1, 40, 2)
    for metric in (PrecisionRecall, DensityCoverage):
        for shift, share in ((0, 1.0), (99, 0.0)):
            extractor, *samples = pair(tmp_path / f"{metric.__name__}{shift}", y + shift, y)
            values = scores_of(metric(extractor), *samples)
            values.pop("density", None)
            assert set(values.values()) == {share}


def test_outliers_inflate_recall_and_not_coverage(tmp_path: Path) -> None:
    """The case that density and coverage were made for (Naeem et al. 2020)."""
    rng = np.random.default_rng(3)
    y = np.float32(rng.normal(size=(60, 3)))
    x = np.concatenate([np.float32(rng.normal(size=(57, 3)) * 0.01), np.float32(50 * np.eye(3))])
    extractor, *samples = pair(tmp_path, x, y)
    recall = scores_of(PrecisionRecall(extractor), *samples)["recall"]
    assert recall > 0.8 and scores_of(DensityCoverage(extractor), *samples)["coverage"] < 0.3


def test_too_few_neighbours_are_refused() -> None:
    with pytest.raises(InputError, match="3 images have no 3 neighbours"):
        neighbours.squared_radii(np.eye(3), 3)


def test_the_share_without_a_block_counts_the_others() -> None:
    inside = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]], bool)
    assert share_without_each(inside).tolist() == [0.5, 0.75, 0.5]


@pytest.mark.parametrize("metric", ["recall", "coverage"])
def test_the_interval_holds_the_mean_of_such_samples(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "ROWS", 512)
    rng = np.random.default_rng(5)
    y = rng.normal(size=(150, 4))
    radii = neighbours.squared_radii(y, 5)[:, None]
    block, values, intervals = jackknife.blocks_of(np.arange(150), blocks=20), [], []
    for _ in range(150):
        x = rng.normal(size=(150, 4)) * 0.7
        if metric == "recall":
            inside, left_out = is_inside_by_block(y, x, 3, block)
        else:
            inside = any_by_block(neighbours.squared_distances(y, x) <= radii, block)
            left_out = share_without_each(inside)
        together = pairs(inside) if metric == "recall" else None
        values.append(inside.any(axis=1).mean())
        intervals.append(jackknife.interval(values[-1], left_out, together))
    truth = np.mean(values)
    most = 0.97 if metric == "recall" else 0.995  # of coverage it is too wide where few are missed
    assert 0.93 <= np.mean([low <= truth <= high for low, high in intervals]) <= most


def test_without_a_block_balls_are_as_if_it_had_never_been_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "ROWS", 7)
    rng = np.random.default_rng(8)
    x, y, block = rng.normal(size=(40, 3)), rng.normal(size=(30, 3)), np.arange(40) % 6
    inside, left_out = is_inside_by_block(y, x, 3, block)
    radii = neighbours.squared_radii_without(x, 3, block)
    for number in range(6):
        others = x[block != number]
        assert radii[number, block != number] == pytest.approx(neighbours.squared_radii(others, 3))
        assert (radii[number, block == number] == -1).all()
        assert left_out[number] == is_inside(y, others, 3).mean()
    assert (inside.any(axis=1) == is_inside(y, x, 3)).all()


def test_two_blocks_act_together_on_points_that_only_they_reach() -> None:
    reaches = np.random.default_rng(9).random((50, 5)) < 0.2
    found = pairs(reaches)
    share = lambda *without: np.delete(reaches, without, axis=1).any(axis=1).mean()  # noqa: E731
    for one, other in ((0, 1), (2, 4)):
        expected = share() - share(one) - share(other) + share(one, other)
        assert found[one, other] == pytest.approx(expected)


def nearest_training(tmp_path: Path, x: np.ndarray, y: np.ndarray, train: np.ndarray) -> dict:
    extractor = FeatureTable(x, y, train)
    own, unseen, training = (
        Sample(table_images(which, len(rows)), tmp_path / str(which))
        for which, rows in enumerate((x, y, train))
    )
    metric = NearestTraining(extractor, training.images, str(training.folder), quantile=0.05)
    assert metric.extract(unseen)
    return scores_of(metric, own, unseen)


def test_copies_of_training_images_are_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    train, y = (np.float32(rng.normal(size=(count, 3))) for count in (300, 200))
    x = np.float32(rng.normal(size=(200, 3)))
    fair = nearest_training(tmp_path / "fair", x, y, train)
    x[:60] = train[:60] + 1e-4
    copied = nearest_training(tmp_path / "copied", x, y, train)
    assert fair["training_closer"] == pytest.approx(0.5, abs=0.1)
    assert fair["training_copies"] == pytest.approx(0.05, abs=0.05)
    assert copied["training_copies"] == pytest.approx(0.3 + 0.7 * 0.05, abs=0.05)
    assert copied["training_closer"] == pytest.approx(0.3 + 0.7 * 0.5, abs=0.1)


@pytest.mark.parametrize(
    ("count", "sentence"), [(10, "Give 20 or more"), (200, "training images themselves")]
)
def test_a_reference_that_says_nothing_of_copies_is_refused(
    tmp_path: Path, count: int, sentence: str
) -> None:
    train = np.float32(np.random.default_rng(7).normal(size=(300, 3)))
    with pytest.raises(InputError, match=sentence):
        nearest_training(tmp_path, train, train[:count], train)
