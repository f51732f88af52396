"""The raters' page as an application: who may see what, and what is on the disk when it answers."""

import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rated_images
from PIL import Image
from starlette.testclient import TestClient

from imagen_lit.rating import web_app
from imagen_lit.rating.session import Session
from imagen_lit.rating.study import Study


def client(study: Study, results: Callable[[], dict[str, bytes]] | None = None) -> TestClient:
    app = web_app.build(study, results or (lambda: {"index.html": b"<p>results"}))
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


def disk(study: Study) -> list[tuple[int, int, int]]:
    """What another process reads of the votes, without the server's knowledge."""
    with sqlite3.connect(study.database.file) as other:
        return other.execute("SELECT rater, step, answer FROM vote ORDER BY rater, step").fetchall()


def test_25_raters_give_40_votes_each_and_every_one_is_stored(tmp_path: Path) -> None:
    study = rated_images.begin(tmp_path, raters=25, prompts=20, images=1)
    page, tokens = client(study), study.database.tokens
    given = []
    for step in range(40):  # all raters at once, each with answers of its own
        for rater, token in enumerate(tokens):
            answer = (rater * 7 + step * 5) % 3
            reply = page.post(f"/r/{token}/answer", json={"step": step, "answer": answer})
            assert reply.status_code == 200 and reply.json()["step"] == step + 1
            given.append((rater, step, answer))
    assert disk(study) == sorted(given)
    assert all(page.get(f"/r/{token}/state").json()["question"] is None for token in tokens)


def test_an_answer_is_on_the_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    study = rated_images.begin(tmp_path)
    page, (token, *_) = client(study), study.database.tokens
    assert study.database._rows("PRAGMA journal_mode") == [("wal",)]
    assert study.database._rows("PRAGMA synchronous") == [(2,)], "FULL: each commit is synced"
    for step in range(3):
        page.post(f"/r/{token}/answer", json={"step": step, "answer": 2})
        assert (0, step, 2) in disk(study)


def test_the_same_question_again_replaces_only_the_raters_own_vote(tmp_path: Path) -> None:
    study = rated_images.begin(tmp_path)
    page, (one, other, *_) = client(study), study.database.tokens
    for token, answer in ((one, 0), (other, 1), (one, 2), (one, 2)):
        assert page.post(f"/r/{token}/answer", json={"step": 0, "answer": answer}).is_success
    assert disk(study) == [(0, 0, 2), (1, 0, 1)]


def test_a_reload_goes_on_where_the_rater_was(tmp_path: Path) -> None:
    study = rated_images.begin(tmp_path)
    token = study.database.tokens[1]
    for step in range(5):
        state = client(study).post(f"/r/{token}/answer", json={"step": step, "answer": 0}).json()
    study.database.close()
    again = rated_images.begin(tmp_path)  # another server, from the file alone
    assert client(again).get(f"/r/{token}/state").json() == state


def test_the_last_answer_can_be_taken_back_and_only_ones_own(tmp_path: Path) -> None:
    study = rated_images.begin(tmp_path)
    page, (one, other, *_) = client(study), study.database.tokens
    for token in (one, other):
        page.post(f"/r/{token}/answer", json={"step": 0, "answer": 1})
    for _ in range(2):  # sent twice, as over a bad connection
        assert page.post(f"/r/{one}/undo", json={"step": 0}).json()["step"] == 0
    assert disk(study) == [(1, 0, 1)]


def test_no_rater_sees_anything_of_anothers_answers(tmp_path: Path) -> None:
    study = rated_images.begin(tmp_path)
    page, (one, other, *_) = client(study), study.database.tokens
    before = page.get(f"/r/{other}/state").json()
    for step in range(6):
        page.post(f"/r/{one}/answer", json={"step": step, "answer": 1})
    assert page.get(f"/r/{other}/state").json() == before
    assert one not in page.get(f"/r/{other}/").text + json.dumps(before)


def test_a_page_says_nothing_of_the_systems(tmp_path: Path) -> None:
    """Neither a name nor a folder nor a file is sent, and an image has lost its metadata."""
    study = rated_images.begin(tmp_path, names=("secret_a", "secret_b"))
    page, token = client(study), study.database.tokens[0]
    state = page.get(f"/r/{token}/state")
    assert not any(word in state.text for word in ("secret", ".png", str(tmp_path)))
    for address in [one for each in state.json()["sets"] for one in each]:
        content = page.get(f"/r/{token}/{address}").content
        assert Image.open(io.BytesIO(content)).info == {} and b"tEXt" not in content


def test_metadata_of_a_png_of_ours_is_not_sent(tmp_path: Path) -> None:
    from imagen_lit.basics import pixels, png_metadata
    from imagen_lit.rating.served_image import encode

    texts = png_metadata.texts({"prompt": "x", "cascade": "secret"}, "x")
    pixels.save_png(Image.new("RGB", (4, 4), (1, 2, 3)), tmp_path / "a.png", texts)
    assert b"secret" in (tmp_path / "a.png").read_bytes()
    content = encode(tmp_path / "a.png", None)
    assert b"secret" not in content
    assert Image.open(io.BytesIO(content)).getpixel((0, 0)) == (1, 2, 3)


FOREIGN = ("x", "0", "..", "%2e%2e", "null", "A" * 22)


@pytest.mark.parametrize("token", FOREIGN)
def test_a_foreign_token_gets_403_everywhere(tmp_path: Path, token: str) -> None:
    study = rated_images.begin(tmp_path)
    page = client(study)
    replies = [
        page.get(f"/r/{token}/"),
        page.get(f"/r/{token}/state"),
        page.get(f"/r/{token}/image/0/0/0"),
        page.post(f"/r/{token}/answer", json={"step": 0, "answer": 0}),
        page.post(f"/r/{token}/undo", json={"step": 0}),
        page.get(f"/owner/{token}/"),
        page.get(f"/owner/{token}/index.html"),
    ]
    allowed = {403} if "." not in token and "%" not in token else {403, 404}
    assert {reply.status_code for reply in replies} <= allowed
    assert disk(study) == []


def test_a_raters_token_does_not_open_the_owners_page(tmp_path: Path) -> None:
    study = rated_images.begin(tmp_path)
    page, token = client(study), study.database.tokens[0]
    assert page.get(f"/owner/{token}/").status_code == 403
    assert page.get(f"/r/{study.database.owner}/state").status_code == 403
    assert page.get(f"/owner/{study.database.owner}/").text == "<p>results"


OUTSIDE = [
    "image/0/0/../../../votes.sqlite",
    "image/..%2f..%2fvotes.sqlite/0/0",
    "image/0/0/..%2f..%2f..%2fetc%2fpasswd",
    "image/0/0/%2e%2e",
    "image/-1/0/0",
    "image/0/0/99",
    "image/0/9/0",
    "image/9999/0/0",
    "image/" + "9" * 5000 + "/0/0",
    "image/0/0/٣",
    "votes.sqlite",
    "../../votes.sqlite",
    "%2e%2e/%2e%2e/votes.sqlite",
    "..%5c..%5cvotes.sqlite",
]


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path[:40])
def test_nothing_but_the_studys_images_is_served(tmp_path: Path, path: str) -> None:
    study = rated_images.begin(tmp_path)
    page, token = client(study), study.database.tokens[0]
    for start in (f"/r/{token}/", f"/owner/{study.database.owner}/", "/", "/page.css/"):
        reply = page.get(start + path)
        assert reply.status_code in (403, 404), reply.text
        assert b"SQLite" not in reply.content and b"root:" not in reply.content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"step": 0}',
        b'{"step": 0, "answer": 3}',
        b'{"step": 0, "answer": -1}',
        b'{"step": -1, "answer": 0}',
        b'{"step": 99, "answer": 0}',
        b'{"step": 0.5, "answer": 0}',
        b'{"step": true, "answer": 0}',
        b'{"step": ' + b"9" * 400 + b', "answer": 0}',
        b"\xff\xfe",
        b" " * 2000,
    ],
    ids=lambda content: content[:24].decode(errors="replace"),
)
def test_what_is_no_answer_is_refused_and_stores_nothing(tmp_path: Path, content: bytes) -> None:
    study = rated_images.begin(tmp_path)
    page, token = client(study), study.database.tokens[0]
    reply = page.post(f"/r/{token}/answer", content=content)
    assert reply.status_code in (400, 413)
    assert disk(study) == []


@pytest.mark.parametrize("seconds", ["NaN", "1e999", "-3", '"long"', "9" * 400])
def test_a_time_that_makes_no_sense_is_left_out_and_the_vote_counts(
    tmp_path: Path, seconds: str
) -> None:
    study = rated_images.begin(tmp_path)
    page, token = client(study), study.database.tokens[0]
    content = f'{{"step": 0, "answer": 0, "seconds": {seconds}}}'
    assert page.post(f"/r/{token}/answer", content=content.encode()).is_success
    assert [vote.seconds for vote in study.database.votes] == [None]


def test_every_reply_forbids_what_comes_from_elsewhere(tmp_path: Path) -> None:
    study = rated_images.begin(tmp_path)
    page, token = client(study), study.database.tokens[0]
    paths = (f"/r/{token}/", f"/r/{token}/state", f"/r/{token}/image/0/0/0", "/page.js", "/nowhere")
    for path in (*paths, f"/owner/{study.database.owner}/", "/r/x/"):
        headers = page.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'"), path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_the_page_names_no_other_host() -> None:
    for name, content in web_app.PARTS.items():
        assert b"//" not in content.replace(b"// ", b""), name


def test_tokens_have_128_bits_and_stay_when_raters_are_added(tmp_path: Path) -> None:
    study = rated_images.begin(tmp_path, raters=3)
    before = study.database.tokens
    study.database.invite(5)
    study.database.invite(2)
    assert study.database.tokens[:3] == before and len(set(study.database.tokens)) == 5
    assert all(len(token) >= 22 for token in study.database.tokens)
    assert study.database.file.stat().st_mode & 0o077 == 0, "the links are the owner's alone"


def test_a_trials_images_are_fetched_once_for_all_its_questions(tmp_path: Path) -> None:
    study = rated_images.begin(tmp_path)
    here = Session(study, 0)
    first: dict[str, Any] = here.state()
    here.answer(0, 0, 1.0)
    second = here.state()
    assert first["sets"] == second["sets"] and first["question"] != second["question"]
    here.answer(1, 0, 1.0)
    assert [one for each in here.state()["sets"] for one in each] == second["next"]
