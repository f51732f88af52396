"""Processes that need not import the libraries: forked from one that has imported them, and has
not used them yet.

A child runs a command or a script, and ends as `python -m imagen_lit.<command>` or
`python -c <script>` would; only the seconds that every start spends on the same imports are saved.
"""

import importlib
import json
import os
import runpy
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

LIBRARIES = ("hydra._internal.hydra", "lightning.pytorch", "webdataset")
LIBRARIES += ("transformers.models.t5.modeling_t5",)


@cache
def _server() -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    words = [sys.executable, __file__]
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, process_group=0)


def _ask(**request: Any) -> int:
    server = _server()
    try:
        print(json.dumps(request), file=server.stdin, flush=True)
        return int(server.stdout.readline())
    except BaseException:  # pytest's timeout: do not wait for whatever runs there
        os.killpg(server.pid, 9)
        _server.cache_clear()
        raise


def command(name: str, words: list[str], folder: Path, out: Path, err: Path) -> int:
    """Start a command in `folder`, with its output in files; the process."""
    return _start({"module": f"imagen_lit.{name}"}, words, folder, out, err)


def script(code: str, words: list[str], folder: Path, out: Path, err: Path) -> int:
    """Start `code` likewise; the process."""
    return _start({"code": code}, words, folder, out, err)


def _start(program: dict[str, str], words: list[str], folder: Path, out: Path, err: Path) -> int:
    files = {"folder": str(folder), "out": str(out), "err": str(err)}
    return _ask(**program, **files, words=words, environment=dict(os.environ))


def wait(process: int) -> int:
    """Wait for a process to end, as one must for each of them; its exit status."""
    return _ask(process=process)


def _serve() -> None:
    for library in LIBRARIES:
        importlib.import_module(library)
    assert threading.active_count() == 1, "a fork keeps one thread only"
    for line in sys.stdin:
        request = json.loads(line)
        if "process" in request:
            _, status = os.waitpid(request["process"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
        elif child := os.fork():
            print(child, flush=True)
        else:
            _run(request)
            break


def _run(request: dict[str, Any]) -> None:
    for number, file, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND),
        (2, request["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND),
    ):
        os.dup2(os.open(file, mode), number)
    os.environ.clear()
    os.environ |= request["environment"]
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]  # as with `python -m`
    sys.argv[1:] = request["words"]
    if "code" in request:
        exec(request["code"], {"__name__": "__main__"})
    else:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve()
