"""Doors, opened by a process that has imported the libraries already and done nothing with them.

For each line on its input it forks a child that goes through one door, and ends, as `python -m
imagen_lit.<door>` would; only the seconds in which every start imports the same are spent once.
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

LIBRARIES = ("hydra._internal.hydra", "lightning.pytorch", "webdataset")
LIBRARIES += ("transformers.models.t5.modeling_t5",)


@cache
def _server() -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    command = [sys.executable, __file__]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, process_group=0)


def run(door: str, words: list[str], folder: Path, out: Path, err: Path) -> int:
    """Go through a door from `folder`, what it says into files; its exit status."""
    server = _server()
    asked = {"door": door, "words": words, "folder": str(folder), "out": str(out), "err": str(err)}
    try:
        print(json.dumps(asked | {"environment": dict(os.environ)}), file=server.stdin, flush=True)
        return int(server.stdout.readline())
    except BaseException:  # pytest's timeout: whatever runs there is not to be waited for
        os.killpg(server.pid, 9)
        _server.cache_clear()
        raise


def _serve() -> None:
    for library in LIBRARIES:
        importlib.import_module(library)
    assert threading.active_count() == 1, "a fork keeps one thread only"
    for line in sys.stdin:
        asked = json.loads(line)
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        for number, file, mode in (
            (0, os.devnull, os.O_RDONLY),
            (1, asked["out"], os.O_WRONLY | os.O_CREAT),
            (2, asked["err"], os.O_WRONLY | os.O_CREAT),
        ):
            os.dup2(os.open(file, mode), number)
        os.environ.clear()
        os.environ |= asked["environment"]
        os.chdir(asked["folder"])
        sys.path[0] = asked["folder"]  # as with `python -m`
        sys.argv[1:] = asked["words"]
        runpy.run_module(f"imagen_lit.{asked['door']}", run_name="__main__", alter_sys=True)
        break


if __name__ == "__main__":
    _serve()
