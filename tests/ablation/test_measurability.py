"""What no metric could measure is refused before anything is trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from imagen_lit import ablate
from imagen_lit.ablation import ledger, measurability
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.disk_space import DiskSpace
from imagen_lit.ablation.ledger import Entry
from imagen_lit.ablation.plan import Plan
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config


def words(name: str, scale: str, *changes: str) -> list[str]:
    listed = ",".join(f'"{each}"' for each in changes)
    return [f"ablation={name}", "do=plan", f"at_scale={scale}", "seeds=[0]", f"changes=[{listed}]"]


def small(scale: str, arm: str, ages: str, *changes: str) -> list[str]:
    own = [f"only.encoder=[{arm}]", "figures.trade_off.points.weight.values=[1,3]"]
    return words(
        "text_encoder", scale, *own, f"figures.learning.points.age.values=[{ages}]", *changes
    )


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_plan_that_could_not_be_measured_is_refused_in_a_sentence() -> None:
    few = config.compose("ablate", small("demo", "t5_nano", "16_000", "evaluate.prompts.count=64"))
    with pytest.raises(InputError) as refusal:
        ablate.main(few)
    assert "could not be measured: kid draws subsets of 100 from 64 images" in str(refusal.value)
    assert "Set evaluate.metrics.kid.subset_size=64 or less" in str(refusal.value)


def test_what_nobody_can_know_yet_is_named_and_not_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ablate.main(config.compose("ablate", small("emoji", "minilm", "60_000")))
    printed = capsys.readouterr().out
    assert "# whether metrics can measure the 2 drawings is not known yet: There are no" in printed


def planned(*changes: str) -> Plan:
    """Super-resolution at one level and weight."""
    few = [
        f"figures.{figure}.points.{axis}.values=[1]"
        for figure in ("trade_off", "by_weight", "weak_and_strong")
        for axis in ("level", "weight")
    ]
    return ablate.planned(config.compose("ablate", words("sr_guidance", "demo", *few, *changes)))


def test_a_ruler_sees_what_each_stage_enlarges_before_it_is_drawn() -> None:
    asked: list[Mapping[str, int]] = []

    def ask(cfg: Any, data: Any, sizes: Mapping[str, int], wanted: Sequence[str]) -> str:
        asked.append(sizes)
        return ablate._missing_for_metrics(cfg, data, sizes, wanted)

    plan = planned("evaluate.metrics=[kid_few,low_res_consistency]")
    drawings = plan.of("evaluate")
    assert measurability.doubts(plan, drawings, ask) == []
    assert asked == [{"base": 16}, {"base": 16, "sr": 64}], "once for all that are alike"


@pytest.mark.parametrize(
    "change, reason",
    [
        ("scores.quality=fd", "no metric gives fd: there are kid, exact. Choose"),
        ("figures.trade_off.x=recall", "no metric gives recall: there are kid, exact"),
        ("evaluate.metrics=[contrast]", "no metric gives kid: there are near_black, near_white"),
        ("evaluate.metrics=[kid_few,low_res_consistency]", "no metric gives low_res"),
    ],
)
def test_a_figure_of_a_score_that_no_metric_gives_is_refused(change: str, reason: str) -> None:
    changes = [change]
    if "low_res" in change:  # the base enlarges nothing
        changes += ["figures.trade_off.y=low_res_consistency"]
    with pytest.raises(InputError, match=reason):
        ablate.main(config.compose("ablate", small("demo", "t5_nano", "16_000", *changes)))


def test_shares_by_category_and_every_score_of_a_metric_may_be_shown() -> None:
    changes = ["scores.alignment=exact/two", "evaluate.metrics=[kid_few,contrast]"]
    changes += ["figures.trade_off.y=near_white"]
    ablate.main(config.compose("ablate", small("demo", "t5_nano", "16_000", *changes)))


def test_weights_and_shards_that_a_cell_makes_are_waited_for() -> None:
    plan = planned()
    everything = list(plan.cells.values())
    why = "there is no file x. Set prompts.count=1 or another."
    doubts = measurability.doubts(plan, everything, lambda *each: why)
    assert doubts == [(2, why.replace("prompts.", "evaluate.prompts."), True)], "as it is typed"
    (later,) = measurability.doubts(plan, plan.of("evaluate"), lambda *each: why)
    assert not later.is_ours, "nothing is left that could bring it"


class Recorder:
    """A launcher that only writes down what it is given, and calls it done."""

    def __init__(self) -> None:
        self.launches: list[list[str]] = []
        self.done: set[str] = set()

    def launch(self, cells: Sequence[Cell], *others: Any) -> None:
        self.launches.append([cell.command for cell in cells])
        self.done |= {cell.name for cell in cells}


@pytest.mark.parametrize("is_measurable", [True, False])
def test_nothing_is_trained_before_the_last_doubt_is_gone(
    monkeypatch: pytest.MonkeyPatch, is_measurable: bool
) -> None:
    plan, launcher = planned(), Recorder()

    def read(plan: Plan, runs: Path) -> dict[str, Entry]:
        state = {True: ledger.DONE, False: ledger.MISSING}
        return {n: Entry(c, state[n in launcher.done]) for n, c in plan.cells.items()}

    def ask(cfg: Any, data: Any, sizes: Mapping[str, int], wanted: Sequence[str]) -> str:
        if not launcher.done:
            return "no file."
        if not is_measurable:
            raise InputError("too few. Set more.")
        return ""

    build = config.build
    monkeypatch.setattr(ablate.ledger, "read", read)
    monkeypatch.setattr(ablate, "_missing_for_metrics", ask)
    monkeypatch.setattr(ablate, "report", lambda *each: None)
    monkeypatch.setattr(ablate, "_refuse_wrong", lambda cells: None)  # which composes all of them
    monkeypatch.setattr(ablate, "_announced", lambda *each: [])
    monkeypatch.setattr(ablate.disk_space, "of", lambda *each: DiskSpace(0, 1, Path()))
    cfg = config.compose("ablate", words("sr_guidance", "demo"))
    monkeypatch.setattr(
        config, "build", lambda node: launcher if node is cfg.launcher else build(node)
    )
    if is_measurable:
        ablate.run(cfg, plan, ledger.MISSING)
        first, rest = launcher.launches
        assert set(rest) == {"train", "evaluate"} and plan.cells.keys() == launcher.done
    else:
        with pytest.raises(InputError, match=r"could not be measured: too few\. Set more\."):
            ablate.run(cfg, plan, ledger.MISSING)
        (first,) = launcher.launches
    assert first and not {"train", "evaluate"} & {*first}
