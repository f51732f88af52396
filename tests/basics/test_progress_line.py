"""What is counted says how long it will still take, by the speed of the last minute."""

import sys
import time

import pytest

from imagen_lit.basics.eta import Eta
from imagen_lit.basics.progress_line import Counter, ProgressLine


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_time_left_follows_the_speed_of_the_last_minute(clock: list[float]) -> None:
    eta = Eta()
    eta.update(0)
    assert eta.remaining(100) == "?", "one update gives no speed"
    clock[0] += 10
    eta.update(20)
    assert (eta.speed, eta.remaining(100)) == (2, "0:40")
    for _ in range(30):
        clock[0] += 10
        eta.update(int(20 + clock[0] - 110))
    assert (eta.speed, eta.remaining(380)) == (1, "1:00"), "the speed at first no longer counts"
    assert eta.remaining(319) == "0:00", "a last batch beyond the total is no negative time"


def test_a_counter_shows_a_line_now_and_then_and_at_the_end(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    counter = Counter("shards")
    assert counter.is_empty
    for done in range(41):
        counter(done, 40)
        clock[0] += 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:] == ["15/40 shards, 0:25 left", "30/40 shards, 0:10 left", "40/40 shards"]
    counter(40, 40, ", all good")
    assert capsys.readouterr().err == "40/40 shards, all good\n"
    assert not counter.is_empty


def test_a_line_on_a_terminal_is_left_only_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Counter("shards")(1, 2)
    assert capsys.readouterr().err.endswith("1/2 shards, ? left")
    ProgressLine.end()
    ProgressLine.end()
    assert capsys.readouterr().err == "\n"
    Counter("shards")(2, 2)
    ProgressLine.end()
    assert capsys.readouterr().err.endswith("2/2 shards\n")
