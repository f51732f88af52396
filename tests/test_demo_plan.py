"""The minutes of a demo are one account, however often it is started."""

import json
import time
from pathlib import Path

import pytest
from hydra.errors import InstantiationException
from omegaconf import DictConfig

from imagen_lit import demo, door
from imagen_lit.demo_plan import Plan


def test_what_an_interrupted_start_took_is_not_given_again(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Plan(tmp_path / "plan.json", minutes=20) as plan:
        with plan.step("reading", "read"):
            plan.said["images"]["base"] = 64
        plan.began -= 300  # what is between the steps counts as well
        raise KeyboardInterrupt
    again = Plan(tmp_path / "plan.json", minutes=20)
    assert 890 < again.left <= 900 and again.said["images"] == {"base": 64}
    more = Plan(tmp_path / "plan.json", minutes=60)
    assert 3290 < more.left <= 3300 and more.said["images"] == {}


def test_the_times_of_a_page_are_all_that_was_spent(tmp_path: Path) -> None:
    with Plan(tmp_path / "plan.json", 20, began=time.monotonic() - 100) as plan:
        with plan.step("reading", "read"):
            plan.began -= 7
    again = Plan(tmp_path / "plan.json", 20, began=time.monotonic() - 50)
    assert sum(seconds for _, seconds in again.times) == pytest.approx(157, abs=5)
    assert again.spent == pytest.approx(157, abs=5)


def test_a_plan_from_before_starts_were_kept_counts_its_steps(tmp_path: Path) -> None:
    old = {"minutes": 20, "images": {}, "seconds": {"reading": 200.0, "training": 100.0}}
    (tmp_path / "plan.json").write_text(json.dumps(old))
    assert 890 < Plan(tmp_path / "plan.json", minutes=20).left <= 900


def test_a_step_says_what_is_left_of_the_whole_and_keeps_the_time_that_making_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Plan(tmp_path / "plan.json", 20, began=time.monotonic() - 300) as plan:
        with plan.step("reading", "read"):
            pass
        made = plan.said["seconds"]["reading"]
        with plan.step("reading", "read") as already:
            already("encoders/t5")
        assert plan.said["seconds"]["reading"] == made
    said = capsys.readouterr().out
    assert "reading; about 15 min of 20 left\n   read\n" in said
    assert said.count("already there: encoders/t5") == 1


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("minutes=20m", "type make demo MINUTES=20"),
        ("minutes=0", "type make demo MINUTES=20"),
        ("minutes=.inf", "type make demo MINUTES=20"),
        ("guided_prompt=5", "type 'guided_prompt="),
        ("guided_prompt=''", "type 'guided_prompt="),
        ("weights=[]", r"type 'weights=\[1,3,5\]'"),
        ("weights=3", r"type 'weights=\[1,3,5\]'"),
        ("weights=[1,a]", r"type 'weights=\[1,3,5\]'"),
        ("prompts=0", "type prompts="),
        ("share.demo_sr2=0", r"type share\.demo_base="),
        ("documents=many", "type documents="),
    ],
)
def test_what_the_last_step_would_stumble_over_is_refused_before_the_first(
    tmp_path: Path, word: str, told: str
) -> None:
    refuse(tmp_path, word, told, ValueError)


def test_more_prompts_than_there_are_are_refused_before_the_first_step(tmp_path: Path) -> None:
    refuse(tmp_path, "prompts=400", "ask for fewer than 400 prompts", InstantiationException)


def refuse(tmp_path: Path, word: str, told: str, kind: type[Exception]) -> None:
    words = [f"runs={tmp_path}/runs", f"datasets={tmp_path}/data", f"text.path={tmp_path}/t5"]
    with pytest.raises(kind, match=told):
        demo.demo(door.compose("demo", [*words, word]))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("seconds", "advice"), [(-50, 40), (100, 35), (900, None)])
def test_too_little_time_for_training_is_said_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seconds: float, advice: int | None
) -> None:
    Plan(tmp_path / "plan.json", minutes=20).warn_of_little(seconds)
    said = capsys.readouterr().out
    assert (f"make demo MINUTES={advice}," in said) == (advice is not None) == bool(said)
    assert "-50" not in said


@pytest.mark.parametrize(("tried", "trainings"), [(100.0, 1), (60.0, 2), (5.0, 2), (300.0, 1)])
def test_a_stage_that_was_tried_out_in_a_bad_moment_is_given_its_time_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried: float, trainings: int
) -> None:
    """It learns 100 images a second; the trial says something else."""
    now, asked = [0.0], [0]

    def learn(cfg: DictConfig) -> None:
        now[0] += (cfg.stage.images - asked[-1]) / 100
        asked.append(cfg.stage.images)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(demo, "train", learn)
    monkeypatch.setattr(demo.bench, "speed", lambda *_: tried)
    monkeypatch.setattr(demo.run_folder, "images_seen", lambda _: asked[-1])
    cfg, plan = door.compose("demo", ["minutes=50"]), Plan(tmp_path / "plan.json", minutes=50)
    demo._train("demo_base", 0, ["stage=demo_base"], cfg, plan, reserve=300)
    assert len(asked) == 1 + trainings and plan.said["images"] == {"demo_base": asked[-1]}
    share = now[0] / ((3000 - 300) * cfg.share.demo_base)
    assert share == pytest.approx(2.6, abs=0.02) if tried == 300 else 0.8 < share < 1
