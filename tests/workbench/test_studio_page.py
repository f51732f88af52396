"""A whole session on the page, in a real browser of a phone's size."""

import json
from pathlib import Path

import browser
import numpy as np
import pytest
import small_studio
from browser import Browser
from PIL import Image
from small_studio import PROMPT

from imagen_lit.basics import pixels, png_metadata

CONTROL, ENTER, UP = "\ue009", "\ue007", "keyUp"
DONE = "return document.querySelectorAll('.pane .acts a').length == {}"
SAID = "return [...document.querySelectorAll('.say')].map((each) => each.textContent)"
ALL_SAY = SAID + ".join() === '{}'"
ENTRIES = "return document.querySelectorAll('#history li').length == {}"


def put(window: Browser, selector: str, value: str) -> None:
    """Type into a field."""
    window.script(
        f"const field = document.querySelector({json.dumps(selector)});"
        f"field.focus(); field.value = {json.dumps(value)};"
        "for (const kind of ['input', 'change'])"
        " field.dispatchEvent(new Event(kind, { bubbles: true }));"
    )


def stroke(window: Browser, *places: tuple[float, float]) -> None:
    """Paint from place to place, in parts of the canvas."""
    box = window.script(
        "const mask = document.querySelector('#mask'); mask.scrollIntoView({ block: 'center' });"
        "const box = mask.getBoundingClientRect(); return [box.left, box.top, box.width];"
    )
    moves = [
        {
            "type": "pointerMove",
            "duration": 0,
            "x": round(box[0] + x * box[2]),
            "y": round(box[1] + y * box[2]),
        }
        for x, y in places
    ]
    down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
    source = {
        "type": "pointer",
        "id": "finger",
        "parameters": {"pointerType": "mouse"},
        "actions": [moves[0], down, *moves[1:], up],
    }
    window.call("POST", "/actions", {"actions": [source]})
    window.call("DELETE", "/actions")


def covered(window: Browser, expected: str = "> 0") -> int:
    """Pixels of the mask that are painted, once there are as many as expected."""
    return window.until(
        "const mask = document.querySelector('#mask'), pen = mask.getContext('2d');"
        "const values = pen.getImageData(0, 0, mask.width, mask.height).data;"
        "let count = 0; for (let i = 3; i < values.length; i += 4) count += values[i] > 127;"
        f"return count {expected} ? count : 0;"
    )


def shown(window: Browser, selector: str) -> list[int]:
    """The red values of a picture that the page shows, at its own size."""
    return window.script(
        f"const image = document.querySelector({json.dumps(selector)});"
        "const canvas = document.createElement('canvas');"
        "canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;"
        "const pen = canvas.getContext('2d'); pen.drawImage(image, 0, 0);"
        "const values = pen.getImageData(0, 0, canvas.width, canvas.height).data;"
        "return [...values].filter((_, place) => place % 4 == 0);"
    )


@pytest.mark.slow
@pytest.mark.skipif(browser.MISSING, reason="needs chromium and chromedriver")
def test_a_session_on_a_phone(tmp_path: Path) -> None:
    desk = small_studio.desk(small_studio.leave_cascade(tmp_path / "runs"), tmp_path / "images")
    with (
        small_studio.served(desk) as address,
        browser.browser(tmp_path, 390, 844, is_phone=True) as window,
    ):
        window.open(address)
        window.until("return document.body.classList.contains('ready')")
        assert window.script("return document.body.scrollWidth <= innerWidth"), "nothing sideways"

        window.tap("#draw")  # an empty prompt: a sentence, and nothing is drawn
        window.until("return !document.querySelector('#trouble').hidden")
        assert "prompt is empty" in window.script(
            "return document.querySelector('#trouble').textContent"
        )

        put(window, "#prompt", PROMPT)  # three stages, as they denoise
        window.tap("#looks")
        window.tap("#draw")
        window.until(DONE.format(1))
        stages = "return [...document.querySelectorAll('.stages img.there')].map(i => i.alt)"
        assert window.script(stages) == ["base, drawn", "sr, drawn", "sr2, drawn"]
        words = "return [...document.querySelectorAll('.words span')].map(i => i.textContent)"
        assert window.script(words) == 3 * PROMPT.split(), "for each stage"
        assert window.script("return document.querySelectorAll('.chart canvas').length") == 2
        window.until(ENTRIES.format(1))
        first = desk.history.entries()[0]
        window.until("return document.querySelector('.large').naturalWidth == 256")
        assert shown(window, ".large") == first.image()[..., 0].ravel().tolist()

        window.tap(".acts button")  # a mask: brush, undo, eraser, and a reload
        stroke(window, (0.3, 0.3), (0.7, 0.3))
        once = covered(window, "> 1000")
        stroke(window, (0.3, 0.7), (0.7, 0.7))
        covered(window, f"> {1.5 * once}")
        window.tap("#undo")
        covered(window, f"== {once}")
        window.tap("#eraser")
        window.until("return mask.isErasing")
        stroke(window, (0.5, 0.1), (0.5, 0.5))
        left = covered(window, f"< {once}")
        window.reload()
        window.until("return document.body.classList.contains('ready')")
        covered(window, f"== {left}")  # the mask survives
        assert window.script("return document.querySelector('#prompt').value") == PROMPT
        window.tap("#undo")
        covered(window, f"== {once}")  # and so does undo

        put(window, "#prompt", "a blue square")  # inpainting: the rest stays, pixel for pixel
        put(window, "#times", "1")
        window.tap("#paint")
        window.until(ENTRIES.format(2))
        new = desk.history.entries()[0]
        picture, hole = (pixels.load_png(file) for file in new.painted())
        hole = hole[..., 0]
        is_given = hole == 0
        assert np.array_equal(picture, first.image())
        assert np.array_equal(new.image()[is_given], picture[is_given])
        assert not np.array_equal(new.image()[~is_given], picture[~is_given])
        assert abs(int((hole > 0).sum()) - once) < once / 20

        window.tap("#leave")
        window.tap("#compare")  # two recipes side by side
        put(window, "[name='B base guidance.weight']", "9")
        put(window, "[name='B base threshold']", "dynamic")
        window.tap("#draw")
        window.until(DONE.format(2))
        window.until(ENTRIES.format(4))
        weights = [
            png_metadata.read(each.stages["base"])["cascade"]["base"]["recipe"]["guidance"]
            for each in desk.history.entries()[:2]
        ]
        assert [each["weight"] for each in weights] == [9, 3]
        assert shown(window, ".sideA .large") != shown(window, ".sideB .large")

        window.tap("#history li:last-child .entry")  # one click draws the first one again
        window.until(ALL_SAY.format("Drawn again: every pixel is the same."))
        assert window.script("return document.querySelector('#prompt').value") == PROMPT
        window.script("document.querySelector('.say').textContent = ''")
        window.tap("#history li:nth-child(3) .entry")  # and the painted one
        window.until(ALL_SAY.format("Drawn again: every pixel is the same."))

        foreign = tmp_path / "foreign.png"  # files that somebody brings
        pixels.save_png(Image.new("RGB", (8, 8)), foreign)
        element = window.call("POST", "/element", {"using": "css selector", "value": "#open"})[
            browser.ELEMENT
        ]
        window.call("POST", f"/element/{element}/value", {"text": str(foreign)})
        window.until("return document.querySelector('#trouble').textContent.includes('not say')")
        window.call("POST", f"/element/{element}/value", {"text": str(first.file)})
        window.until(ENTRIES.format(5))

        put(window, "#prompt", "one green triangle")  # the keyboard
        keys = [{"type": "keyDown", "value": CONTROL}, {"type": "keyDown", "value": ENTER}]
        keys += [{"type": UP, "value": ENTER}, {"type": UP, "value": CONTROL}]
        body = {"actions": [{"type": "key", "id": "keyboard", "actions": keys}]}
        window.call("POST", "/actions", body)
        window.until(ENTRIES.format(7))
