"""attempts.jsonl: every start of a training or an evaluation in its folder, and how it ended.

    {"event": "start", "time": …, "host": …, "pid": …, "job": null, "commit": …, "dirty": false,
     "code": …, "versions": {…}, "command": "python -m imagen_lit.train …"}
    {"event": "end", "time": …, "state": "finished", "seconds": …, "images": …, "device": …,
     "kwh": null}

Lines are only ever appended: a resumed start does not erase what came before. A killed one leaves
a start without an end. While a start lasts, its process holds a lock on the file, and writes alone.
"""

import fcntl
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from imagen_lit.cli import assets
from imagen_lit.run import slurm, state
from imagen_lit.run.code_digest import code_digest, commit
from imagen_lit.run.energy import EnergyMeter

FILE = "attempts.jsonl"
FINISHED, FAILED, STOPPED, PREEMPTED = "finished", "failed", "stopped", "preempted"
PACKAGES = ("torch", "lightning", "transformers", "hydra-core", "numpy")

MOST = 1e12  # of seconds or kilowatt hours: a damaged row may say anything


@dataclass(frozen=True)
class Attempt:
    """What its start and its end say; a killed one, or one that still lasts, has no end."""

    start: Mapping[str, Any]
    end: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """How it ended; empty without an end."""
        return str(self.end.get("state", ""))

    @property
    def seconds(self) -> float:
        """How long it took; 0 where that is unknown."""
        return _number(self.end.get("seconds")) or 0.0

    @property
    def kwh(self) -> float | None:
        """None where it was not measured."""
        return _number(self.end.get("kwh"))


class AttemptLog:
    """The record of the attempt that this process makes in a folder, from its making on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._began, self._meter = time.monotonic(), EnergyMeter()
        self._time = _now()
        self._file: TextIO | None = None

    @property
    def has_begun(self) -> bool:
        """Whether its start is written, and its end is not."""
        return self._file is not None

    def begin(self) -> None:
        """Write that it has begun; nothing if another process is at it."""
        file = _open(self.folder / FILE)
        if file is None:
            return
        self._file = file
        head, is_dirty = commit()
        self._append(
            {
                "event": "start",
                "time": self._time,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "job": slurm.job_id() if slurm.in_job() else None,
                "commit": head,
                "dirty": is_dirty,
                "code": code_digest(),
                "versions": _versions(),
                "command": command_line(),
            }
        )

    def end(self, state: str, error: str = "", **facts: Any) -> None:
        """Write how it ended, if it has begun."""
        if self._file is None:
            return
        row: dict[str, Any] = {"event": "end", "time": _now(), "state": state}
        row |= {"error": error} if error else {}
        row |= {"seconds": round(time.monotonic() - self._began, 1), "kwh": self._meter.kwh()}
        self._append(row | facts)
        self._file.close()  # which ends the lock
        self._file = None

    def _append(self, row: Mapping[str, Any]) -> None:
        assert self._file is not None
        self._file.write(f"{json.dumps(row)}\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def read(folder: Path) -> list[Attempt]:
    """Every attempt in a folder, in their order; lines that a kill has cut are passed over."""
    try:
        lines = (folder / FILE).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    attempts: list[Attempt] = []
    for row in filter(None, map(_row, lines)):
        if row.get("event") == "start":
            attempts.append(Attempt(row))
        elif row.get("event") == "end" and attempts and not attempts[-1].end:
            attempts[-1] = Attempt(attempts[-1].start, row)
    return attempts


def is_running(folder: Path) -> bool:
    """Whether a process, of this machine or another, is at an attempt in the folder."""
    return state.is_locked(folder, FILE)


def command_line() -> str:
    """What a person types for what this process does."""
    program, *words = sys.argv or [""]
    name = program.removeprefix("imagen_lit.")
    if Path(program).parent == assets.PACKAGE:
        name = Path(program).stem
    elif name == program:
        return shlex.join([Path(program).name, *words])
    return shlex.join(["python", "-m", f"imagen_lit.{name}", *words])


def _open(file: Path) -> TextIO | None:
    """To append, on a line of its own; None if another process holds it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = file.open("a+")
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in state.NO_LOCKS:
            handle.close()
            return None
    handle.seek(0)
    if (text := handle.read()) and not text.endswith("\n"):
        handle.write("\n")  # a kill has cut the last line
    return handle


def _versions() -> dict[str, str]:
    versions: dict[str, str] = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and 0 <= value < MOST else None


def finishing(attempts: Sequence[Attempt]) -> Attempt | None:
    """The last one that finished."""
    return next((each for each in reversed(attempts) if each.state == FINISHED), None)
