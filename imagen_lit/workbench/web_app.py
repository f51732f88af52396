"""The page where one draws, as a web application, for the person at this machine.

Every address begins with a token that only the printed link has, and a request that names another
host than this machine gets 403, so that no page from elsewhere can speak to it. Images are
addressed by numbers and come from the history's folder alone. What cannot be done is said in a
sentence, and the server goes on.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as Call
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import recipe_form
from imagen_lit.cascade.picture_edit import EDIT
from imagen_lit.workbench.desk import Desk
from imagen_lit.workbench.history import LARGEST, Entry
from imagen_lit.workbench.request import Request
from imagen_lit.workbench.worker import Worker

PARTS = {
    name: Path(__file__).with_name(name).read_bytes()
    for name in ("page.html", "page.css", "page.js", "mask.js")
}
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HOSTS = ("127.0.0.1", "localhost")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address is the key
    "Cache-Control": "no-store",
}
MOST = 500  # entries of the history that a page shows
PATIENCE = 10.0  # seconds until a call for events is answered with none
Answer = Callable[[Call], Awaitable[Any]]


def build(desk: Desk, token: str) -> Starlette:
    """The application; `token` is the first part of every address."""
    worker = Worker()

    def guarded(answer: Answer) -> Callable[[Call], Awaitable[Response]]:
        async def reply(call: Call) -> Response:
            if _host(call) not in HOSTS:
                return _words("This page answers on this machine alone.", 403)
            if not secrets.compare_digest(call.path_params["token"].encode(), token.encode()):
                return _words("This link leads nowhere. Type the command again.", 403)
            try:
                result = await answer(call)
            except InputError as error:
                return _words(str(error), 400)
            except OSError as error:
                return _words(f"{error.strerror or error}. See to the folder of the images.", 400)
            return result if isinstance(result, Response) else JSONResponse(result, 200, HEADERS)

        return reply

    async def page(call: Call) -> Response:
        return _part("page.html")

    async def part(call: Call) -> Response:
        name = call.path_params["name"]
        if name not in PARTS:
            raise HTTPException(404, "There is no such file.")
        return _part(name)

    async def state(call: Call) -> Any:
        return {
            "size": desk.size,
            "encoder": desk.encoder.name,
            "tokens": desk.encoder.max_length,
            "stages": {name: stage.size for name, stage in desk.cascade.stages.items()},
            "recipes": desk.usual,
            "choices": recipe_form.choices(),
        }

    async def history(call: Call) -> Any:
        return await run_in_threadpool(
            lambda: [_described(desk, each) for each in desk.history.entries()[:MOST]]
        )

    async def picture(call: Call) -> Any:
        entry = await run_in_threadpool(desk.history.entry, call.path_params["number"])
        file = entry.stages.get(call.path_params["stage"])
        if file is None:
            raise HTTPException(404, "There is no such image.")
        return Response(await run_in_threadpool(file.read_bytes), 200, HEADERS, "image/png")

    async def draw(call: Call) -> Any:
        request = Request.of(_json(await _body(call)))
        return await run_in_threadpool(_start, desk, worker, lambda: desk.begin(request))

    async def again(call: Call) -> Any:
        body = _json(await _body(call))
        number, looks = str(body.get("entry")), body.get("looks") is True
        return await run_in_threadpool(_start, desk, worker, lambda: desk.again(number, looks))

    async def stop(call: Call) -> Any:
        numbers = _json(await _body(call)).get("drawings")
        if not isinstance(numbers, list) or not all(type(each) is int for each in numbers):
            raise InputError("there are no drawings to stop. Give their numbers.")
        worker.stop(numbers)
        return {}

    async def events(call: Call) -> Any:
        number = _number(call.path_params["drawing"])
        drawing, after = worker.drawing(number), _number(call.query_params.get("after", "0"))
        if drawing is None:
            raise HTTPException(404, "This drawing is forgotten. Look into the history.")
        for _ in range(int(PATIENCE / 0.05)):
            if len(drawing.events) > after or drawing.is_over:
                break
            await asyncio.sleep(0.05)
        return {"events": drawing.events[after:], "over": drawing.is_over}

    async def open_file(call: Call) -> Any:
        content = await _body(call)
        entry = await run_in_threadpool(desk.history.open, content)
        return _described(desk, entry)

    def route(path: str, answer: Answer, method: str = "GET") -> Route:
        return Route(f"/{{token}}/{path}", guarded(answer), methods=[method])

    return Starlette(
        routes=[
            route("", page),
            route("state", state),
            route("history", history),
            route("picture/{number}/{stage}", picture),
            route("events/{drawing}", events),
            route("draw", draw, "POST"),
            route("again", again, "POST"),
            route("stop", stop, "POST"),
            route("open", open_file, "POST"),
            route("{name}", part),
        ],
        exception_handlers={HTTPException: _refusal},
    )


def _start(desk: Desk, worker: Worker, begin: Callable[[], Any]) -> dict[str, int]:
    drawing, work = begin()
    worker.put(drawing, lambda: desk.draw(drawing, work))
    return {"drawing": drawing.number}


def _described(desk: Desk, entry: Entry) -> dict[str, Any]:
    """An entry as a page shows it."""
    difference = desk.difference(entry)
    return {
        "entry": entry.number,
        "prompt": entry.facts["prompt"],
        "seed": entry.facts["seed"],
        "stages": list(entry.stages),
        "painted": EDIT in entry.facts,
        "recipes": {} if difference else desk.recipes(entry),
        "difference": difference,
    }


def _host(call: Call) -> str:
    return call.headers.get("host", "").partition(":")[0]


async def _body(call: Call) -> bytes:
    content = bytearray()
    async for part in call.stream():
        content += part
        if len(content) > LARGEST:
            raise InputError(f"that is more than {LARGEST >> 20} MB. Send a smaller file.")
    return bytes(content)


def _json(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InputError("that is no request of this page. Reload it.")
    return body


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise HTTPException(404, "There is no such drawing.")
    return int(text)


def _part(name: str) -> Response:
    return Response(PARTS[name], 200, HEADERS, KINDS[Path(name).suffix])


def _words(words: str, status: int) -> Response:
    return PlainTextResponse(words, status, HEADERS)


def _refusal(call: Call, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _words(error.detail, error.status_code)
