"""Which code ran: a digest of the package and its configs, and git's commit where there is one."""

import functools
import hashlib
import subprocess
from pathlib import Path

from imagen_lit.cli import assets

FOLDERS = ("imagen_lit", "conf")


@functools.cache
def code_digest() -> str:
    """Of every .py file of the package and every .yaml file of conf/, with their names."""
    digest = hashlib.sha256()
    for root, pattern in ((assets.PACKAGE, "*.py"), (Path(assets.conf()), "*.yaml")):
        for file in sorted(root.rglob(pattern)):
            digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
            digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


@functools.cache
def commit() -> tuple[str | None, bool]:
    """The commit of the checkout that the package lies in, and whether its files differ from it;
    (None, False) outside a checkout."""
    root = assets.root()
    if not (root / ".git").exists():
        return None, False
    head = _git(root, "rev-parse", "HEAD")
    return head or None, bool(head and _git(root, "status", "--porcelain", "--", *FOLDERS))


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
