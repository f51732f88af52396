"""Who may see what of the page; and whatever is sent, a sentence comes back and the server goes
on."""

import base64
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_studio
from PIL import Image
from small_studio import PROMPT, TOKEN
from starlette.testclient import TestClient

from imagen_lit.basics import pixels, png_metadata
from imagen_lit.workbench import web_app
from imagen_lit.workbench.desk import Desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    place = tmp_path_factory.mktemp("studio")
    return small_studio.desk(small_studio.leave_cascade(place / "runs"), place / "images")


@pytest.fixture
def page(desk: Desk) -> Iterator[TestClient]:
    app = web_app.build(desk, TOKEN)
    address = f"http://127.0.0.1:8100/{TOKEN}/"
    yield TestClient(app, base_url=address, raise_server_exceptions=False)


def request(desk: Desk, **changes: Any) -> dict[str, Any]:
    return {"prompt": PROMPT, "seed": 0, "recipes": desk.usual, **changes}


def events(page: TestClient, drawing: int) -> list[dict[str, Any]]:
    """All of a drawing, when it is over."""
    end = time.monotonic() + 60
    while not (reply := page.get(f"events/{drawing}?after=0").json())["over"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    return reply["events"]


def address(size: int, painted: int = 8) -> str:
    image = np.zeros((size, size), np.uint8)
    image[:painted] = 255
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


def test_a_drawing_is_followed_and_put_into_the_history(page: TestClient, desk: Desk) -> None:
    drawing = page.post("draw", json=request(desk)).json()["drawing"]
    *_, last = events(page, drawing)
    assert last["kind"] == "done"
    (entry,) = [each for each in page.get("history").json() if each["entry"] == last["entry"]]
    assert entry["difference"] == "" and entry["recipes"] == desk.usual
    content = page.get(f"picture/{entry['entry']}/sr2").content
    assert content == desk.history.entry(entry["entry"]).file.read_bytes()
    again = page.post("again", json={"entry": entry["entry"]}).json()["drawing"]
    assert events(page, again)[-1]["same"] is True


BAD = [
    ({"prompt": ""}, "prompt is empty"),
    ({"prompt": " \n"}, "prompt is empty"),
    ({"prompt": 3}, "prompt is empty"),
    ({"prompt": "\ud800"}, "has more than|letters"),
    ({"seed": -1}, "seed=-1 is not a whole number"),
    ({"seed": "many"}, "seed='many'"),
    ({"recipes": []}, "no recipe"),
    ({"recipes": {}}, "no stage"),
    ({"recipes": {"base": {"steps": 0}}}, "steps"),
    ({"recipes": {"other": {}}}, "the stages are base, sr, sr2"),
    ({"paint": 3}, "no picture below the mask"),
    ({"paint": {"picture": "x", "mask": "x"}}, "mask is no PNG"),
    ({"paint": {"picture": "x", "mask": address(256, 0)}}, "nothing is painted"),
    ({"paint": {"picture": "../x", "mask": address(256)}}, "no such image in the history"),
    ({"paint": {"picture": "x", "mask": address(256), "times": 99}}, "times=99 is above"),
]


@pytest.mark.parametrize(("changes", "words"), BAD, ids=[words for _, words in BAD])
def test_what_cannot_be_drawn_is_refused_in_one_sentence(
    page: TestClient, desk: Desk, changes: dict[str, Any], words: str
) -> None:
    reply = page.post("draw", content=json.dumps(request(desk, **changes)))
    assert reply.status_code == 400
    assert any(each in reply.text for each in words.split("|")), reply.text
    assert "\n" not in reply.text


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("place", ["draw", "again", "open"])
def test_what_is_no_request_is_refused(page: TestClient, place: str, content: bytes) -> None:
    assert page.post(place, content=content).status_code == 400


def test_a_level_that_a_stage_does_not_know_fails_and_the_next_is_drawn(
    page: TestClient, desk: Desk
) -> None:
    recipes = {**desk.usual, "base": {**desk.usual["base"], "aug_level": 0.5}}
    failed = events(page, page.post("draw", json=request(desk, recipes=recipes)).json()["drawing"])
    assert failed[-1]["kind"] == "failed" and "aug_level=0.5 is too high" in failed[-1]["words"]
    drawn = events(page, page.post("draw", json=request(desk, seed=9)).json()["drawing"])
    assert drawn[-1]["kind"] == "done"


def test_a_mask_of_another_size_is_refused(page: TestClient, desk: Desk) -> None:
    drawing = page.post("draw", json=request(desk)).json()["drawing"]
    entry = events(page, drawing)[-1]["entry"]
    paint = {"picture": entry, "mask": address(64)}
    reply = page.post("draw", json=request(desk, paint=paint))
    assert reply.status_code == 400
    assert "the mask has 64 x 64 pixels, and the last stage draws 256 x 256" in reply.text


def png(facts: dict[str, Any] | None) -> bytes:
    texts = {} if facts is None else png_metadata.texts(facts, "x")
    out = io.BytesIO()
    info = pixels.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


FOREIGN = [
    (None, "does not say what drew it"),
    ({"prompts": ["x"]}, "have no prompt"),
    ({"prompt": "x", "seed": "x"}, "have no seed"),
    ({"prompt": "x", "seed": 1, "stage": "b", "cascade": {"b": {}}, "text": {}}, "lack a recipe"),
]


@pytest.mark.parametrize(("facts", "words"), FOREIGN, ids=[words for _, words in FOREIGN])
def test_a_png_that_does_not_say_what_drew_it_is_refused(
    page: TestClient, desk: Desk, facts: dict[str, Any] | None, words: str
) -> None:
    reply = page.post("open", content=png(facts))
    assert reply.status_code == 400 and words in reply.text
    assert not (desk.history.folder / "opened").exists() or words


def test_a_png_of_other_weights_is_shown_with_the_reason(page: TestClient, desk: Desk) -> None:
    stage = {"digest": "x", "settings": "x", "images_seen": 7, "recipe": {"_target_": "os.system"}}
    facts = {"prompt": "x", "seed": 1, "stage": "base", "cascade": {"base": stage}, "text": {}}
    entry = page.post("open", content=png(facts)).json()
    assert "other weights of stage base" in entry["difference"] and entry["recipes"] == {}
    reply = page.post("again", json={"entry": entry["entry"]})
    assert reply.status_code == 400 and "other weights" in reply.text
    assert page.get("history").status_code == 200


def test_who_lacks_the_token_or_names_another_host_gets_nothing(desk: Desk) -> None:
    app = web_app.build(desk, TOKEN)
    for host, token in (("127.0.0.1", "other"), ("evil.example", TOKEN), ("", TOKEN)):
        client = TestClient(app, base_url="http://127.0.0.1:8100", raise_server_exceptions=False)
        for path in ("", "state", "history", "page.js", "picture/x/base", "events/0"):
            reply = client.get(f"/{token}/{path}", headers={"host": host})
            assert reply.status_code == 403, (host, path)
        for path in ("draw", "again", "stop", "open"):
            reply = client.post(f"/{token}/{path}", headers={"host": host}, content=b"{}")
            assert reply.status_code == 403
    assert TestClient(app, base_url="http://localhost:8100").get(f"/{TOKEN}/").is_success


@pytest.mark.parametrize(
    "path",
    [
        "picture/../../runs/demo/base/text.json",
        "picture/%2e%2e%2f%2e%2e/base",
        "picture/x/..%2f..%2fsecret",
        "events/-1",
        "events/" + "9" * 5000,
        "events/0?after=x",
        "secret.txt",
        "..%2fdesk.py",
        "desk.py",
    ],
)
def test_nothing_but_the_histories_images_is_served(page: TestClient, path: str) -> None:
    reply = page.get(path)
    assert reply.status_code in (400, 403, 404) and "encoder" not in reply.text


def test_every_reply_forbids_what_comes_from_elsewhere(page: TestClient) -> None:
    for path in ("", "state", "history", "page.js", "mask.js", "nothing.js"):
        headers = page.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'"), path
        assert headers["x-content-type-options"] == "nosniff"
    for name, content in web_app.PARTS.items():
        assert b"//" not in content.replace(b"// ", b""), f"{name} names another host"


def test_the_page_is_answered_while_an_image_waits(page: TestClient, desk: Desk) -> None:
    """A drawing that is stopped before its turn draws nothing."""
    drawings = [
        page.post("draw", json=request(desk, seed=100 + n)).json()["drawing"] for n in range(3)
    ]
    assert page.get("state").is_success
    assert page.post("stop", json={"drawings": "all"}).status_code == 400
    page.post("stop", json={"drawings": drawings[1:]})
    assert events(page, drawings[-1])[-1]["kind"] == "stopped"
    assert events(page, drawings[0])[-1]["kind"] == "done", "another window's"
    assert Path(desk.history.folder).is_dir()
