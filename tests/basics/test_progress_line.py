"""A progress line is right from the first second to the last, on a terminal and in a log."""

import io
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagen_lit.basics.eta import Eta, clock
from imagen_lit.basics.progress_line import Counter, ProgressLine, doing
from imagen_lit.basics.progress_text import progress_text


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    yield now
    ProgressLine.is_open, ProgressLine.current = False, None


class Stream(io.StringIO):
    """A terminal, or a file."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def test_the_time_left_follows_the_speed_of_the_last_minute(now: list[float]) -> None:
    eta = Eta()
    eta.update(0)
    assert (eta.speed, eta.remaining(100)) == (None, None), "one update gives no speed"
    now[0] += 10
    eta.update(20)
    assert (eta.speed, eta.remaining(100)) == (2, 40)
    for _ in range(30):
        now[0] += 10
        eta.update(int(20 + now[0] - 110))
    assert (eta.speed, eta.remaining(380)) == (1, 60), "the speed at first no longer counts"
    assert eta.remaining(319) == 0, "a last batch beyond the total is no negative time"


def test_what_was_there_before_says_nothing_about_the_speed(now: list[float]) -> None:
    eta = Eta()
    for done in range(1, 501):
        eta.update(done, made=0)
    assert eta.speed is None
    now[0] += 20
    eta.update(501, made=1)
    assert eta.remaining(511) == pytest.approx(200)


def test_pauses_are_no_part_of_the_speed_but_of_the_time_left(now: list[float]) -> None:
    eta = Eta()
    eta.update(0)
    now[0] += 10
    eta.update(10)
    now[0] += 30  # of which 20 s are a validation
    eta.update(20, paused=20.0)
    assert eta.speed == 1
    assert eta.remaining(30) == 20, "as much of the rest is paused as so far"


counts = st.lists(st.tuples(st.integers(0, 50), st.floats(0, 400)), min_size=1, max_size=30)


@given(counts, st.integers(1, 600), st.booleans())
def test_no_line_ever_shows_more_than_all_or_less_than_no_time(
    steps: list[tuple[int, float]], total: int, is_terminal: bool
) -> None:
    """Whatever is counted: a whole number of steps, some of which go beyond the total."""
    now, done, stream = [0.0], 0, Stream(is_terminal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: now[0])
        patch.setattr(sys, "stderr", stream)
        counter = Counter("images", label="mine")
        counter.start(0, total)
        for images, seconds in steps:
            done, now[0] = done + images, now[0] + seconds
            with doing("validating"):
                now[0] += seconds / 3
            counter(done, total, "loss 0.5", last=False)
        counter(done, total, "loss 0.5", last=True)
        took = clock(now[0])
    text = stream.getvalue()
    assert text.endswith(f"{min(done, total):,}/{total:,} images in {took}, loss 0.5\n")
    lines = re.split("\r\033\\[K", text)[1:] if is_terminal else text.splitlines()
    for line in lines:
        assert "-" not in line and "?" not in line and "nan" not in line
        count, whole = re.search(r" ([\d,]+)/([\d,]+) images", line).groups()
        assert int(count.replace(",", "")) <= int(whole.replace(",", "")) == total
        assert line.rstrip("\n").count("\n") == 0
    if is_terminal:
        assert text.count("\n") == 1, "only the last line ends"
    else:
        assert "\r" not in text and "\033" not in text
    shown = [int(re.search(r" ([\d,]+)/", line)[1].replace(",", "")) for line in lines]
    assert shown == sorted(shown)


@given(st.floats(0, 1), st.integers(40, 200), st.text("ab/", max_size=30))
def test_a_line_fits_the_terminal_and_its_bar_is_full_only_at_the_end(
    share: float, columns: int, label: str
) -> None:
    line = progress_text(
        12_800, 100_000, "images", label=label, share=share, speed=51.2, left=3 * 3600.0,
        note="loss 0.7044", columns=columns,
    )  # fmt: skip
    assert len(line) <= columns
    assert "░" in line or "█" not in line, "full only when all are there"
    if columns > 120:
        assert line.endswith("12,800/100,000 images, 51 images/s, 3:00:00 left, loss 0.7044")


def test_what_is_not_there_yet_is_not_said_to_take_no_time() -> None:
    line = progress_text(0, 12, "prompts drawn", share=1.0, speed=1.0, left=0.0)
    assert "left" not in line and line.startswith(f"{'█' * 23}░ 0/12 prompts drawn")
    assert ", 0:01 left" in progress_text(0, 12, "prompts drawn", share=0.9, speed=1.0, left=0.6)


def test_a_counter_shows_a_line_now_and_then_and_at_the_end(
    now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    counter = Counter("shards")
    assert counter.is_empty
    for done in range(41):
        counter(done, 40)
        now[0] += 1
    lines = [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "0/40 shards",
        "15/40 shards, 1 shards/s, 0:25 left",
        "30/40 shards, 1 shards/s, 0:10 left",
        "40/40 shards in 0:40",
    ]
    counter(40, 40, "all good")
    assert capsys.readouterr().err.endswith("40/40 shards in 0:41, all good\n")
    assert not counter.is_empty


def test_a_log_of_hours_has_a_few_lines_an_hour(
    now: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    counter = Counter("images")
    for second in range(20 * 3600):
        counter(second, 10**9)
        now[0] += 1
    assert 20 * 12 < len(capsys.readouterr().err.splitlines()) < 20 * 12 + 60


def test_of_nothing_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Counter("documents read")(0, 0, "loss nan")
    assert capsys.readouterr().err == ""


def test_a_line_on_a_terminal_is_left_only_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Counter("shards")(1, 2)
    assert capsys.readouterr().err.endswith("1/2 shards")
    ProgressLine.end()
    ProgressLine.end()
    assert capsys.readouterr().err == "\n"
    Counter("shards")(2, 2)
    ProgressLine.end()
    assert capsys.readouterr().err.endswith("2/2 shards in 0:00\n")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_keeps_a_line_from_advancing_is_said(
    now: list[float], monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    stream = Stream(is_terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    counter = Counter("images")
    counter(10, 100)
    with doing("validating"):
        assert ("10/100 images, validating" in stream.getvalue()) == is_terminal
        now[0] += 20
        ProgressLine.current.repeat()
        assert "10/100 images, validating" in stream.getvalue(), "in a log, if it takes long"
    counter(20, 100)
    now[0] += 20
    counter(30, 100)
    assert stream.getvalue().rpartition("images")[2].count("validating") == 0


PRINTS = """
import logging, sys, warnings
logging.basicConfig(format="%(message)s")  # a handler that holds on to the stream as it is now
from imagen_lit.basics.progress_line import Counter, keep_lines_whole
sys.stderr.isatty = lambda: {terminal}
keep_lines_whole()
warnings.showwarning = lambda message, *_: print(message, file=sys.stderr)
counter = Counter("images", every=0)
for number in range(3):
    counter(number, 9)
    print("printed", number)
    counter(number, 9)
    warnings.warn("warned %d" % number)
    counter(number, 9)
    logging.warning("logged %d", number)
counter(5, 9)
1 / 0
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_whatever_is_printed_meanwhile_starts_on_a_line_of_its_own(terminal: bool) -> None:
    """Both streams in one file, which says in which order they came."""
    code = PRINTS.format(terminal=terminal)
    one_file = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    text = subprocess.run([sys.executable, "-c", code], **one_file).stdout.decode()
    lines = text.replace("\r", "").replace("\033[K", "").split("\n")
    others = [line for line in lines if "images" not in line]
    expected = [f"{verb} {n}" for n in range(3) for verb in ("printed", "warned", "logged")]
    assert others[:9] == expected
    assert others[9].startswith("Traceback")
    assert others[-2:] == ["ZeroDivisionError: division by zero", ""]
    assert all(line.startswith(("█", "░")) for line in lines if "images" in line)
