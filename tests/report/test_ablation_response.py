"""How far an arm responds: its change from the first place to the last, beside another arm's."""

import os
from pathlib import Path

import numpy as np
import pytest
from left_ablation import learning, leave, plan, trade_off
from scipy.stats import ttest_ind

from imagen_lit.report import ablation_marks, ablation_response
from imagen_lit.report.ablation_marks import Marks
from imagen_lit.report.document import Table

SEEDS, WEIGHTS = (0, 1, 2, 3), ("1", "4", "16")
NOISE = np.random.default_rng(0).normal(0, 0.02, (2, 3, 4))
ARMS = ("without", "with")


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda file: None)


def value(metric: str, arm: str, place: str, seed: int) -> float:
    """The second arm loses 0.3 from the first weight to the last, the first arm nothing."""
    fall = 0.1 * WEIGHTS.index(place) if arm == "with" and metric == "exact" else 0
    return 0.5 - fall + float(NOISE[ARMS.index(arm), WEIGHTS.index(place), seed])


def marks(tmp_path: Path, seeds: tuple[int, ...] = SEEDS) -> Marks:
    made = plan(ARMS, seeds=seeds, figures=[trade_off(WEIGHTS)])
    entries = leave(tmp_path, made, value)
    return ablation_marks.read(made, made.definition.figures[0], entries, tmp_path)


def test_the_change_and_its_difference_are_those_of_scipy(tmp_path: Path) -> None:
    own = marks(tmp_path)
    one, two = (np.array(ablation_response.changes(own, "exact", arm)) for arm in ARMS)
    assert two.mean() - one.mean() == pytest.approx(-0.2, abs=0.05)
    (table,) = [each for each in ablation_response.blocks(own) if isinstance(each, Table)]
    rows = {(row[0], row[1]): row for row in table.rows}
    low, high = ttest_ind(two, one).confidence_interval()
    shown = rows["exact", "with"][4].replace("−", "-").strip("]").partition(" [")
    assert float(shown[0]) == pytest.approx(two.mean() - one.mean(), abs=0.006)
    ends = [float(end) for end in shown[2].split(", ")]
    assert ends == pytest.approx([low, high], abs=0.006)
    assert rows["exact", "without"][4] == "–" and rows["kid", "with"][3] == "4 of 4"


def test_ages_and_single_trainings_have_no_response(tmp_path: Path) -> None:
    assert list(ablation_response.blocks(marks(tmp_path / "one", seeds=(0,)))) == []
    made = plan(ARMS, seeds=SEEDS, figures=[learning(("320", "640"))])
    entries = leave(tmp_path / "ages", made, lambda m, arm, place, seed: 0.1 * seed)
    own = ablation_marks.read(made, made.definition.figures[0], entries, tmp_path / "ages")
    assert list(ablation_response.blocks(own)) == []
