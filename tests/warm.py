"""Processes that need not import the libraries: forked from one that has, and has done nothing with
them.

A child goes through one door, or runs a script, and ends as `python -m imagen_lit.<door>` or
`python -c <script>` would; only the seconds in which every start imports the same are spent once.
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
    command = [sys.executable, __file__]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, process_group=0)


def _ask(**what: Any) -> int:
    server = _server()
    try:
        print(json.dumps(what), file=server.stdin, flush=True)
        return int(server.stdout.readline())
    except BaseException:  # pytest's timeout: whatever runs there is not to be waited for
        os.killpg(server.pid, 9)
        _server.cache_clear()
        raise


def door(name: str, words: list[str], folder: Path, out: Path, err: Path) -> int:
    """Go through a door from `folder`, what it says into files; the process."""
    return _start({"module": f"imagen_lit.{name}"}, words, folder, out, err)


def script(code: str, words: list[str], folder: Path, out: Path, err: Path) -> int:
    """Run `code`; the process."""
    return _start({"code": code}, words, folder, out, err)


def _start(what: dict[str, str], words: list[str], folder: Path, out: Path, err: Path) -> int:
    files = {"folder": str(folder), "out": str(out), "err": str(err)}
    return _ask(**what, **files, words=words, environment=dict(os.environ))


def wait(process: int) -> int:
    """Until it has ended, as every one has to be waited for; its exit status."""
    return _ask(process=process)


def _serve() -> None:
    for library in LIBRARIES:
        importlib.import_module(library)
    assert threading.active_count() == 1, "a fork keeps one thread only"
    for line in sys.stdin:
        asked = json.loads(line)
        if "process" in asked:
            _, status = os.waitpid(asked["process"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
        elif child := os.fork():
            print(child, flush=True)
        else:
            _begin(asked)
            break


def _begin(asked: dict[str, Any]) -> None:
    for number, file, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, asked["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND),
        (2, asked["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND),
    ):
        os.dup2(os.open(file, mode), number)
    os.environ.clear()
    os.environ |= asked["environment"]
    os.chdir(asked["folder"])
    sys.path[0] = asked["folder"]  # as with `python -m`
    sys.argv[1:] = asked["words"]
    if "code" in asked:
        exec(asked["code"], {"__name__": "__main__"})
    else:
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve()
