"""The raters' page as a web application: who has no link sees nothing.

Every address holds a rater's token or the owner's; any other gets 403. Images are addressed by
numbers and come from the study's folders alone, the owner's files from memory. Pages load
nothing from elsewhere, and may not: the Content-Security-Policy says so.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from imagen_lit.rating.session import Session
from imagen_lit.rating.study import Study

PARTS = {
    name: Path(__file__).with_name(name).read_bytes()
    for name in ("page.html", "page.css", "page.js")
}
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".csv": "text/csv"}
KINDS |= {".svg": "image/svg+xml", ".png": "image/png", ".json": "application/json"}
LARGEST = 1000  # bytes of an answer
POLICY = (
    "default-src 'none'; script-src 'self'; style-src {style}; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY.format(style="'self'"),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address is the key
    "Cache-Control": "no-store",
}
INLINE = {"Content-Security-Policy": POLICY.format(style="'unsafe-inline'")}  # a page as one file
STILL = {"Cache-Control": "private, max-age=86400, immutable"}  # an address has one image forever


def build(study: Study, results: Callable[[], Mapping[str, bytes]]) -> Starlette:
    """The application. `results` makes the owner's page and its files anew, by name; the first is
    the page."""
    newest: dict[str, bytes] = {}
    sessions = {token: Session(study, rater) for rater, token in enumerate(study.database.tokens)}

    def session(request: Request) -> Session:
        try:
            return sessions[request.path_params["token"]]
        except KeyError:
            raise HTTPException(403, "This link leads nowhere. Ask for yours again.") from None

    def page(request: Request) -> Response:
        session(request)
        return _content("page.html", PARTS["page.html"])

    def part(request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        return _content(name, PARTS[name])

    def state(request: Request) -> Response:
        here = session(request)
        return _json({"instructions": study.facts["instructions"], **here.state()})

    def image(request: Request) -> Response:
        numbers = [_number(request.path_params[name]) for name in ("step", "side", "place")]
        content = session(request).image(*numbers)
        if content is None:
            raise HTTPException(404, "There is no such image.")
        return Response(content, media_type="image/png", headers=HEADERS | STILL)

    async def answer(request: Request) -> Response:
        here, body = session(request), await _body(request)
        values = _whole(body, "step"), _whole(body, "answer"), _seconds(body)
        if not await run_in_threadpool(here.answer, *values):
            raise HTTPException(400, "There is no such question or answer.")
        return await run_in_threadpool(state, request)

    async def undo(request: Request) -> Response:
        here, body = session(request), await _body(request)
        await run_in_threadpool(here.take_back, _whole(body, "step"))
        return await run_in_threadpool(state, request)

    def owner(request: Request) -> Response:
        token = request.path_params["token"]
        if not secrets.compare_digest(token.encode(), study.database.owner.encode()):
            raise HTTPException(403, "This link leads nowhere.")
        name = request.path_params.get("name", "")
        if not name:
            newest.clear()
            newest.update(results())
            name = next(iter(newest))
        if name not in newest:
            raise HTTPException(404, "There is no such file.")
        return _content(name, newest[name], HEADERS | INLINE)

    return Starlette(
        routes=[
            Route("/page.css", part),
            Route("/page.js", part),
            Route("/r/{token}/", page),
            Route("/r/{token}/state", state),
            Route("/r/{token}/answer", answer, methods=["POST"]),
            Route("/r/{token}/undo", undo, methods=["POST"]),
            Route("/r/{token}/image/{step}/{side}/{place}", image),
            Route("/owner/{token}/", owner),
            Route("/owner/{token}/{name}", owner),
        ],
        exception_handlers={HTTPException: _refusal},
    )


def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(error.detail, error.status_code, HEADERS | dict(error.headers or {}))


def _content(name: str, content: bytes, headers: dict[str, str] = HEADERS) -> Response:
    return Response(content, media_type=KINDS[Path(name).suffix], headers=headers)


def _json(value: dict[str, Any]) -> Response:
    return JSONResponse(value, headers=HEADERS)


async def _body(request: Request) -> dict[str, Any]:
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > LARGEST:
            raise HTTPException(413, "That is more than an answer.")
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise HTTPException(400, "That is no answer.")
    return body


def _whole(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if type(value) is not int or abs(value) >= 2**62:
        raise HTTPException(400, f"{name} is a whole number.")
    return value


def _seconds(body: dict[str, Any]) -> float | None:
    value = body.get("seconds")
    return value if type(value) in (int, float) else None


def _number(text: str) -> int:
    """A number of an address; -1, which no image has, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
