"""The minutes of a demo are one account, however often it is started."""

import json
import re
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hydra.errors import InstantiationException
from omegaconf import DictConfig

from imagen_lit import demo
from imagen_lit.cli import config
from imagen_lit.run.time_budget import STAGE, TimeBudget


def test_the_time_of_an_interrupted_start_is_spent(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        TimeBudget(tmp_path / "budget.json", minutes=20) as budget,
    ):
        with budget.step("reading", "read"):
            budget.record["images"]["base"] = 64
        budget.started_at -= 300  # what is between the steps counts as well
        raise KeyboardInterrupt
    again = TimeBudget(tmp_path / "budget.json", minutes=20)
    assert 890 < again.left <= 900 and again.record["images"] == {"base": 64}
    more = TimeBudget(tmp_path / "budget.json", minutes=60)
    assert 3290 < more.left <= 3300 and more.record["images"] == {}


def test_the_times_of_the_page_add_up_to_all_that_was_spent(tmp_path: Path) -> None:
    with TimeBudget(tmp_path / "budget.json", 20, started_at=time.monotonic() - 100) as budget:
        with budget.step("reading", "read"):
            budget.started_at -= 7
    again = TimeBudget(tmp_path / "budget.json", 20, started_at=time.monotonic() - 50)
    assert sum(seconds for _, seconds in again.times) == pytest.approx(157, abs=5)
    assert again.spent == pytest.approx(157, abs=5)


def test_a_budget_without_its_starts_counts_its_steps(tmp_path: Path) -> None:
    old = {"minutes": 20, "images": {}, "seconds": {"reading": 200.0, "training": 100.0}}
    (tmp_path / "budget.json").write_text(json.dumps(old))
    assert 890 < TimeBudget(tmp_path / "budget.json", minutes=20).left <= 900


def test_a_step_shows_what_is_left_and_keeps_its_original_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TimeBudget(tmp_path / "budget.json", 20, started_at=time.monotonic() - 300) as budget:
        with budget.step("reading", "read"):
            pass
        seconds = budget.record["seconds"]["reading"]
        with budget.step("reading", "read") as already_there:
            already_there("encoders/t5")
        assert budget.record["seconds"]["reading"] == seconds
    output = capsys.readouterr().out
    assert "reading, 15:00 of 20:00 left\n   read\n" in output
    assert output.count("already there: encoders/t5") == 1


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("minutes=20m", r"above 0\. Type make demo MINUTES=20"),
        ("minutes=0", r"above 0\. Type make demo MINUTES=20"),
        ("minutes=.inf", r"above 0\. Type make demo MINUTES=20"),
        ("guidance_prompt=5", "Set 'guidance_prompt="),
        ("guidance_prompt=''", "Set 'guidance_prompt="),
        ("guidance_weights=[]", r"Set 'guidance_weights=\[1,3,5\]'"),
        ("guidance_weights=3", r"Set 'guidance_weights=\[1,3,5\]'"),
        ("guidance_weights=[1,a]", r"Set 'guidance_weights=\[1,3,5\]'"),
        ("prompts=0", "prompts=0 is not a whole number of 1 or more"),
        ("time_share.demo_sr2=0", r"Set time_share\.demo_base="),
        ("documents=many", "Set documents="),
    ],
)
def test_what_the_last_step_could_not_use_is_refused_before_the_first(
    tmp_path: Path, word: str, message: str
) -> None:
    refuse(tmp_path, word, message, ValueError)


def test_more_prompts_than_exist_are_refused_before_the_first_step(tmp_path: Path) -> None:
    refuse(
        tmp_path, "prompts=400", r"400 prompts are too many.*Ask for fewer", InstantiationException
    )


def refuse(tmp_path: Path, word: str, message: str, kind: type[Exception]) -> None:
    words = [f"runs={tmp_path}/runs", f"datasets={tmp_path}/data", f"text.path={tmp_path}/t5"]
    with pytest.raises(kind, match=message):
        demo.demo(config.compose("demo", [*words, word]))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("seconds", "advice"), [(-50, 40), (100, 35), (900, None)])
def test_too_little_time_for_training_is_announced_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seconds: float, advice: int | None
) -> None:
    TimeBudget(tmp_path / "budget.json", minutes=20).warn_if_short(seconds)
    output = capsys.readouterr().out
    assert (f"(make demo: MINUTES={advice})" in output) == (advice is not None) == bool(output)
    assert "-50" not in output


LITTLE = [["prompts=8", "guidance_weights=[1]"], ["prompts=32"]]


@pytest.mark.parametrize(("minutes", "least"), [(7, 11), (20, None)])
def test_minutes_too_few_for_what_is_fixed_are_announced_before_the_first_step(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    minutes: int,
    least: int | None,
) -> None:
    def first_step(*_: object) -> None:
        raise KeyboardInterrupt

    trials = {"_precision": "32-true", "_prompt_seconds": 0.375, "seconds_left": 130.0}
    for name, value in trials.items():
        monkeypatch.setattr(demo, name, lambda *_, value=value: value)
    monkeypatch.setattr(demo.build, "seconds_left", lambda *_: 30.0)
    monkeypatch.setattr(demo.bootstrap, "STARTED_AT", time.monotonic())
    monkeypatch.setattr(demo, "_make_text_encoder", first_step)
    words = [f"runs={tmp_path}/runs", f"datasets={tmp_path}/data", f"minutes={minutes}"]
    with pytest.raises(KeyboardInterrupt):
        demo.demo(config.compose("demo", words))
    output = capsys.readouterr().out
    assert re.search(r"takes about 5:08, and \d+:\d\d are left", output)
    assert "text encoder 2:10, shards 0:30, drawing 256 prompts 1:36; put aside" in output
    assert "put aside for 12 images of guidance, files, pages: 0:52" in output
    less = "less to draw leaves more: prompts=32 'guidance_weights=[1,5]'"
    assert (less in output) == (least is not None)
    less_than = [demo.demo_commands.less_to_draw(config.compose("demo", each)) for each in LITTLE]
    assert less_than == ["", "'guidance_weights=[1,5]'"], "no advice is more than what is asked for"
    assert (f", {least} at the least (" in output) == ("too few" in output) == (least is not None)


@pytest.mark.parametrize(("seconds", "advice"), [(69, 35), (299, 35), (301, None)])
def test_the_page_says_if_the_stages_were_trained_for_too_short(
    tmp_path: Path, seconds: float, advice: int | None
) -> None:
    budget = TimeBudget(tmp_path / "budget.json", minutes=20)
    budget.record["seconds"] = {"evaluation": 500, f"{STAGE}1 of 3: demo_base": seconds - 10}
    budget.record["seconds"] |= {f"{STAGE}2 of 3: demo_sr": 10}
    said = f"trained for {seconds} s in all" in budget.warning
    assert said == (f"(make demo: MINUTES={advice})" in budget.warning) == bool(budget.warning)
    assert said == (advice is not None)


def test_the_page_of_a_busy_machine_says_that_too_few_minutes_were_given(tmp_path: Path) -> None:
    budget = TimeBudget(tmp_path / "budget.json", minutes=8)
    budget.warn_if_short(-300)
    budget.record["seconds"] = {f"{STAGE}1 of 3: demo_base": 400.0}  # for one update
    budget.write()
    again = TimeBudget(tmp_path / "budget.json", minutes=8)
    assert again.warning.startswith("Too few minutes were given. 0 s of 8 min were left for train")
    assert "minutes=30, 18 at the least" in again.warning
    assert TimeBudget(tmp_path / "budget.json", minutes=30).warning == ""


def test_what_was_trained_before_counts_for_a_later_start(tmp_path: Path) -> None:
    budget = TimeBudget(tmp_path / "budget.json", minutes=20)
    budget.record["seconds"] = {f"{STAGE}1 of 3: demo_base": 700.0}
    assert not budget.warn_if_short(100) and budget.warning == ""


@pytest.mark.parametrize(("measured", "trainings"), [(100.0, 1), (60.0, 2), (5.0, 2), (300.0, 1)])
def test_a_stage_whose_trial_was_slow_still_gets_its_share_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: float, trainings: int
) -> None:
    """It trains at 100 images a second; its trial measured something else."""
    now, trained = [0.0], [0]

    def fake_train(cfg: DictConfig, note: object) -> None:
        now[0] += (cfg.stage.images - trained[-1]) / 100
        trained.append(cfg.stage.images)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(demo, "train", fake_train)
    monkeypatch.setattr(demo.bench, "speed", lambda *_: measured)
    monkeypatch.setattr(demo.run_folder, "images_seen", lambda _: trained[-1])
    cfg = config.compose("demo", ["minutes=50"])
    budget = TimeBudget(tmp_path / "budget.json", minutes=50)
    demo._train("demo_base", 0, ["stage=demo_base"], cfg, budget, reserve=300)
    assert len(trained) == 1 + trainings and budget.record["images"] == {"demo_base": trained[-1]}
    share = now[0] / ((3000 - 300) * cfg.time_share.demo_base)
    assert share == pytest.approx(2.6, abs=0.02) if measured == 300 else 0.8 < share < 1


def test_a_stage_without_time_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "train", lambda cfg, note: note("unknown words"))
    monkeypatch.setattr(demo.bench, "speed", lambda *_: pytest.fail("a trial"))
    budget = TimeBudget(tmp_path / "budget.json", minutes=1)
    cfg = config.compose("demo", [f"runs={tmp_path}"])
    demo._train("demo_base", 0, ["stage=demo_base"], cfg, budget, reserve=300)
    assert budget.record["images"] == {"demo_base": 32}, "one update"
    assert "unknown words" not in capsys.readouterr().out, "said when they were embedded"


def test_shards_that_are_there_are_told_from_an_index_that_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = config.compose("demo", ["scenes=4", f"datasets={tmp_path}/data"])

    def make() -> str:
        with suppress(FileNotFoundError):  # the encoder that embeds the captions
            demo._make_data(cfg, TimeBudget(tmp_path / "budget.json", minutes=1))
        printed = capsys.readouterr()
        return printed.out + printed.err

    there = f"already there: {tmp_path}/data"
    first = make()
    assert "1/1 shards written" in first and "1/1 shards indexed" in first and there not in first
    second = make()
    assert there in second and "1/1 shards checked" in second and "indexed" not in second
    for file in (tmp_path / "data.meta").glob("00000.*"):
        file.unlink()
    third = make()
    assert there not in third and "were there; their index is new" in third
