"""What is counted says how long it will still take, by the speed of the last minute."""

import time

import pytest

from imagen_lit.pace import Counter, Pace


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_time_left_follows_the_speed_of_the_last_minute(clock: list[float]) -> None:
    pace = Pace()
    pace.saw(0)
    assert pace.left(100) == "?", "one look tells no speed"
    clock[0] += 10
    pace.saw(20)
    assert (pace.speed, pace.left(100)) == (2, "0:40")
    for _ in range(30):
        clock[0] += 10
        pace.saw(int(20 + clock[0] - 110))
    assert (pace.speed, pace.left(380)) == (1, "1:00"), "how fast it was at first is forgotten"


def test_a_counter_speaks_now_and_then_and_at_the_end(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    count = Counter("shards")
    for done in range(41):
        count(done, 40)
        clock[0] += 1
    said = capsys.readouterr().err.splitlines()
    assert said[1:] == ["15/40 shards, 0:25 left", "30/40 shards, 0:10 left", "40/40 shards"]
    count(40, 40, ", all good")
    assert capsys.readouterr().err == "40/40 shards, all good\n"
