"""The progress of drawing is by the step, and its time left is that of the steps still to come."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from tiny_run import FINGERPRINT, Encoder, leave_run

from imagen_lit.basics.progress_line import ProgressLine
from imagen_lit.basics.progress_text import progress_text
from imagen_lit.cascade import image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.drawing_progress import DrawingProgress, Step, StepTimes
from imagen_lit.cli import config
from imagen_lit.run import provenance


def steps(plan: dict[str, int], images: int, batch: int) -> list[Step]:
    """All that drawing so many images reports."""
    return [
        Step(stage, number, plan, ["a red circle"] * min(batch, images - done), done, images)
        for done in range(0, images, batch)
        for place, (stage, count) in enumerate(plan.items())
        for number in range(place > 0, count + 1)
    ]


plans = st.dictionaries(st.sampled_from(["base", "sr", "sr2"]), st.integers(1, 9), min_size=1)


@given(plans, st.integers(1, 20), st.integers(1, 7))
def test_the_share_rises_to_one_and_the_time_left_falls_to_nothing(
    plan: dict[str, int], images: int, batch: int
) -> None:
    now, times = [0.0], StepTimes()
    cost = {stage: 2.0**place for place, stage in enumerate(plan)}  # seconds a step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: now[0])
        shares, left = [], []
        for step in steps(plan, images - images % batch or batch, batch):
            now[0] += cost[step.stage] if step.number else 50.0  # to load the weights
            times.update(step)
            shares.append(step.share)
            left.append((now[0], times.remaining(step)))
            is_timed = step.done > 0 or step.number > 1 or step.number == plan[step.stage]
            assert (times.remaining(step) is not None) == is_timed
            place = list(plan).index(step.stage) + is_timed
            assert times.untimed(plan) == ([] if step.done else list(plan)[place:])
    assert all(0 <= share <= 1 for share in shares) and shares[-1] == 1
    known = [(at, seconds) for at, seconds in left if seconds is not None]
    assert known and known[-1][1] == 0
    assert all(seconds >= 0 for _, seconds in known)
    assert all(at + seconds <= now[0] + 1e-6 for at, seconds in known), "never more than it takes"
    if len(plan) == 1 and images <= batch:  # nothing more will be loaded
        assert all(at + seconds == pytest.approx(now[0]) for at, seconds in known)


def test_every_step_of_every_stage_is_reported(tmp_path: Path) -> None:
    for name in ("base", "sr"):
        leave_run(tmp_path, name)
    words = ["cascade=demo", f"runs={tmp_path}", "~cascade.sr2"]
    words += ["cascade.base.recipe.steps=2", "cascade.sr.recipe.steps=3"]
    node = config.compose("sample", words).cascade
    cascade: Cascade = config.build(node)
    recipes = {"cascade": OmegaConf.to_container(node, resolve=True)}
    source = provenance.describe(cascade.weights, FINGERPRINT, recipes)
    reported: list[Step] = []
    requests = [("a red circle", 0), ("a blue square", 1), ("a red circle", 2)]
    shape, report = DrawingPass(2, 9), reported.append
    drawing = image_files.draw(cascade, Encoder(), source, requests, tmp_path, shape, report)
    assert len(list(drawing)) == 3
    each = [("base", 0), ("base", 1), ("base", 2), ("sr", 1), ("sr", 2), ("sr", 3)]
    assert [(step.stage, step.number) for step in reported] == each * 2
    assert [step.done for step in reported] == [0] * 6 + [2] * 6
    assert {step.total for step in reported} == {3}
    assert reported[3].name == "sr step 1/3" and reported[9].name == "a red circle: sr step 1/3"


def test_the_line_shows_images_steps_and_at_the_end_how_long_it_took(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now, plan = [0.0], {"base": 4, "sr": 4}
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = DrawingProgress()
    assert progress.is_empty
    for step in steps(plan, 4, 2):
        progress.step(step)
        now[0] += 20
    progress.count(2, 4)
    progress.count(4, 4)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 18 + 1
    assert lines[0].endswith(" 0/4 images drawn, a red circle: base step 0/4")
    assert lines[1].endswith(" 0/4 images drawn, a red circle: base step 1/4"), "it also loads"
    assert lines[2].endswith(" drawn, 2:00 + sr left, a red circle: base step 2/4"), lines[2]
    assert lines[5].endswith(" drawn, a red circle: sr step 1/4"), lines[5]
    assert lines[6].endswith("0.013 images/s, 3:20 left, a red circle: sr step 2/4"), lines[6]
    assert re.search(r" 2/4 images drawn, .* base step 1/4$", lines[10])
    assert lines[-1] == f"{'█' * 24} 4/4 images drawn in 6:00"
    assert ProgressLine.current is None


@pytest.mark.parametrize("prompt", ["a red circle", "a red circle above a blue square"])
def test_a_step_is_read_whole_on_80_columns(prompt: str) -> None:
    step = Step("sr2", 12, {"sr2": 32}, [prompt], 10, 12)
    assert step.name.startswith("a red circle") and len(step.name) < 35
    line = progress_text(
        10, 12, "images drawn", speed=0.31, left=70.0, note=step.name, columns=79
    )  # fmt: skip
    assert line.endswith("sr2 step 12/32")


def test_where_everything_is_drawn_already_nothing_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    DrawingProgress().count(4, 4)
    assert capsys.readouterr().err == ""
