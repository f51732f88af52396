"""The command as a user types it: links, a server that is killed, and results at the end."""

import csv
import json
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import browser
import pytest
import rated_images

from imagen_lit import rate
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config

LEFT, ENTER = "\ue012", "\ue007"  # WebDriver's names of the keys
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for loopback


class Server:
    """The command in a folder, with what it prints."""

    def __init__(self, place: Path, *words: str) -> None:
        command = [sys.executable, "-m", "imagen_lit.rate", "port=0", *words]
        self.process = subprocess.Popen(
            command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("Ctrl-C"):
                break
        self.text = "\n".join(self.lines)
        self.raters = re.findall(r"rater +\d+: (\S+)", self.text)
        (self.owner,) = re.findall(r"results: +(\S+)", self.text) or [""]

    def end(self, by: signal.Signals) -> str:
        """Send the signal, and return what is printed from then on."""
        self.process.send_signal(by)
        return self.process.communicate(timeout=60)[0]


@contextmanager
def server(place: Path, *words: str) -> Iterator[Server]:
    running = Server(place, *words)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def systems(place: Path, **settings: Any) -> str:
    for number, name in enumerate(("ours", "theirs")):
        rated_images.folder(place / name, colour=(60 + 120 * number, 90, 140), **settings)
    return "systems={ours: ours, theirs: theirs}"


def answer(link: str, step: int, number: int) -> int:
    """Send an answer and wait until it is acknowledged; the next step."""
    content = json.dumps({"step": step, "answer": number, "seconds": 1.5}).encode()
    request = urllib.request.Request(f"{link}answer", content)
    with OPENER.open(request, timeout=30) as reply:
        return json.load(reply)["step"]


def stored(place: Path) -> set[tuple[int, int, int]]:
    with sqlite3.connect(place / "ratings/study/votes.sqlite") as database:
        return set(database.execute("SELECT rater, step, answer FROM vote"))


@pytest.mark.slow
def test_a_killed_server_keeps_every_acknowledged_vote(tmp_path: Path) -> None:
    """SIGKILL while several raters are sending; then the same command goes on."""
    words = systems(tmp_path, prompts=10)
    acknowledged: list[tuple[int, int, int]] = []
    with server(tmp_path, words, "raters=4") as running:
        enough = threading.Event()

        def send(rater: int) -> None:
            try:
                for step in range(20):
                    answer(running.raters[rater], step, (rater + step) % 3)
                    acknowledged.append((rater, step, (rater + step) % 3))
                    if len(acknowledged) >= 24:
                        enough.set()
            except (OSError, urllib.error.URLError, ValueError):
                return  # killed

        threads = [threading.Thread(target=send, args=(rater,)) for rater in range(4)]
        for thread in threads:
            thread.start()
        assert enough.wait(60)
        running.process.kill()
        for thread in threads:
            thread.join()
        running.process.wait()
    there = stored(tmp_path)
    assert len(acknowledged) >= 24 and set(acknowledged) <= there
    assert len(there) <= len(acknowledged) + 4, "at most one a rater was on its way"
    with server(tmp_path, words, "raters=5") as running:
        assert "Preference" in running.text and "vote" in running.text
        assert len(running.raters) == 5
        done = [len([1 for rater, *_ in there if rater == number]) for number in range(4)]
        assert re.findall(r"\((\d+) of 20 answers\)", running.text) == [str(n) for n in done if n]
        step = max(step for rater, step, _ in there if rater == 0) + 1
        if step < 20:
            assert answer(running.raters[0], step, 1) == step + 1
        with OPENER.open(running.owner, timeout=60) as reply:
            page = reply.read().decode()
        assert "What raters say" in page and "://" not in re.sub(r'"http[^"]*"', "", page)
        with OPENER.open(f"{running.owner}ratings.csv", timeout=60) as reply:
            assert len(reply.read().decode().splitlines()) == 1 + len(stored(tmp_path))
        after = running.end(signal.SIGINT)
    assert running.process.returncode == 0 and "the results: " in after, after
    folder = tmp_path / "ratings/study"
    rows = list(csv.DictReader((folder / "ratings.csv").read_text().splitlines()))
    assert len(rows) == len(stored(tmp_path))
    names = {"index.html", "results.csv", "study.json", "preference.svg", "preference.png"}
    assert names <= {file.name for file in folder.iterdir()}
    assert not re.search(
        "|".join(map(re.escape, running.raters)), (folder / "index.html").read_text()
    )


@pytest.mark.slow
@pytest.mark.skipif(browser.MISSING, reason="chromium and chromedriver are not installed")
def test_a_whole_session_is_played_on_a_phone(tmp_path: Path) -> None:
    words = systems(tmp_path, prompts=3, images=8, size=(64, 64))
    with (
        server(tmp_path, words, "raters=2") as running,
        browser.browser(tmp_path, 360, 740, is_phone=True) as phone,
    ):
        link, large = running.raters[0], "document.getElementById('large').open"

        def ready(step: int) -> None:
            phone.until(f"return state?.step === {step} && isOpen")

        def text(name: str) -> str:
            return phone.script(f"return document.getElementById('{name}').textContent")

        def tap(answer: int) -> None:
            phone.tap(f"#answers button:nth-child({answer})")

        phone.open(link)
        phone.until("return document.activeElement.id === 'go' && document.hasFocus()")
        assert text("go") == "Begin"
        phone.press("1")  # no answer yet
        phone.press(ENTER)
        ready(0)
        phone.tap("#help")
        phone.press("1")  # nor here
        assert text("go") == "Go on"
        phone.tap("#go")
        tap(1)
        ready(1)
        phone.reload()  # which loses nothing
        ready(1)
        tap(1)
        ready(2)
        phone.tap("#sets figure.b .grid button:nth-child(3)")
        phone.until(f"return {large}")
        assert text("which") == "3 of 8"
        phone.tap("#after")
        assert text("which") == "4 of 8"
        phone.tap("#close")
        phone.until(f"return !{large}")
        phone.tap("#undo")
        ready(1)
        tap(2)
        ready(2)
        tap(3)
        ready(3)
        phone.press("3")
        ready(4)
        phone.press(LEFT)
        phone.press(ENTER)
        ready(5)
        assert phone.script("return document.documentElement.scrollWidth") <= 360
        assert phone.script("return document.querySelectorAll('#sets img').length") == 16
        bottom = "return document.getElementById('answers').getBoundingClientRect().bottom"
        assert phone.script(bottom) <= 740, "images, question and answers fit on the screen"
        phone.press("u")
        ready(4)
        phone.press("1")
        ready(5)
        tap(3)
        phone.until("return document.getElementById('title').textContent === 'Thank you.'")
        there = {step: number for rater, step, number in stored(tmp_path) if rater == 0}
        assert there == {0: 0, 1: 1, 2: 2, 3: 2, 4: 0, 5: 2}
        phone.open(link.replace("/r/", "/r/x"))
        assert "leads nowhere" in phone.script("return document.body.textContent")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "systems names no images"),
        (["systems={ours: nowhere}"], "is no folder"),
        (["systems={ours: empty, theirs: empty}"], "says of no image which prompt"),
        (["systems={ours: ours, theirs: theirs}", "port=99999"], "cannot be listened to"),
        (["systems={ours: ours, theirs: theirs}", "raters=0"], "raters=0"),
        (["rating=coco", "systems={ours: ours, theirs: theirs}"], "no system 'original'"),
    ],
)
def test_a_study_that_cannot_begin_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    systems(tmp_path)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        rate.main(config.compose("rate", ["port=0", *words]))
    assert sentence in str(error.value)


def test_packages_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "PACKAGES", ("starlette", "no_such_package"))
    with pytest.raises(InputError, match=r"needs no_such_package\. Type pip install 'imagen-lit"):
        rate.main(config.compose("rate"))
