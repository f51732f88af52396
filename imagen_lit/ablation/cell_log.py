"""What a cell's command prints when a launcher runs it: <runs>/ablation/logs/<name>.log. Each start
appends to it, and says in its last line how it ended.
"""

from pathlib import Path, PurePosixPath

FOLDER = "ablation/logs"
MARK = "--- "
BEGUN, DONE, FAILED = f"{MARK}begun: ", f"{MARK}done", f"{MARK}failed: "


def path(runs: Path, name: str) -> Path:
    """The file of a cell."""
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..", ".")]
    return Path(runs, FOLDER, *parts[:-1], f"{parts[-1]}.log")


def failure(runs: Path, name: str) -> str:
    """Why its last start failed; empty if it did not, or never was."""
    file = path(runs, name)
    if not file.is_file():
        return ""
    with file.open("rb") as handle:
        size = handle.seek(0, 2)
        handle.seek(max(0, size - 8192))
        text = handle.read().decode(errors="replace")
    marks = [line for line in text.splitlines() if line.startswith(MARK)]
    return marks[-1].removeprefix(FAILED) if marks and marks[-1].startswith(FAILED) else ""
