"""The minutes of a demo are one account, however often it is started."""

from pathlib import Path

import pytest

from imagen_lit.demo_plan import Plan


def test_what_an_interrupted_start_took_is_not_given_again(tmp_path: Path) -> None:
    plan = Plan(tmp_path / "plan.json", minutes=20)
    with pytest.raises(KeyboardInterrupt), plan.step("reading", "read"):
        raise KeyboardInterrupt
    plan.said["seconds"]["reading"] += 300
    plan.said["images"]["base"] = 64
    plan.write()
    again = Plan(tmp_path / "plan.json", minutes=20)
    assert 890 < again.left <= 900 and again.said["images"] == {"base": 64}
    more = Plan(tmp_path / "plan.json", minutes=60)
    assert 3290 < more.left <= 3300 and more.said["images"] == {}


@pytest.mark.parametrize(("seconds", "advice"), [(-50, 40), (100, 35), (900, None)])
def test_too_little_time_for_training_is_said_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seconds: float, advice: int | None
) -> None:
    Plan(tmp_path / "plan.json", minutes=20).warn_of_little(seconds)
    said = capsys.readouterr().out
    assert (f"make demo MINUTES={advice}," in said) == (advice is not None) == bool(said)
    assert "-50" not in said
