"""A desk of three untrained stages, which draws an image in about a second."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from omegaconf import OmegaConf
from tiny_run import Encoder, leave_runs

from imagen_lit.cli import config
from imagen_lit.rating import server
from imagen_lit.workbench import web_app
from imagen_lit.workbench.desk import Desk

STAGES = ("base", "sr", "sr2")
FAST = [f"cascade.{name}.recipe.steps=2" for name in STAGES]
PROMPT = "a red circle"
TOKEN = "token"


class WordEncoder(Encoder):
    """A token for each word, and one for the end."""

    def token_ids(self, captions: list[str]) -> list[list[int]]:
        return [[*(hash(word) for word in caption.split()), 1] for caption in captions]


def leave_cascade(runs: Path) -> Path:
    return leave_runs(runs, STAGES)


def desk(runs: Path, folder: Path, *words: str) -> Desk:
    typed = [f"runs={runs}", *FAST, *words]
    node = OmegaConf.to_container(config.compose("studio", typed).cascade, resolve=True)
    return Desk(node, WordEncoder(), folder, typed)


@contextmanager
def served(desk: Desk) -> Iterator[str]:
    """The page's address, while a server in this process answers there."""
    listener = server.bind("127.0.0.1", 0)
    settings = uvicorn.Config(web_app.build(desk, TOKEN), log_level="error", access_log=False)
    running = uvicorn.Server(settings)
    thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/{TOKEN}/"
    finally:
        running.should_exit = running.force_exit = True
        thread.join(20)
