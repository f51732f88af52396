"""A mirror of the run folder in W&B: the journal, and every row of it once more on a dashboard.

metrics.jsonl is the truth. Its line n is W&B's step n and `images` is the axis, so steps never
collide and never run backwards; a run is known there by its name. Online, a run that goes on tells
what the server has not heard yet. Offline it begins its file anew and tells everything: there is
always one file, and it holds the whole run.

A mirror that breaks is said aloud, once, and costs the run nothing; so W&B is imported where it is
first used, within what is forgiven. With WANDB_MODE=disabled it is not imported at all.
"""

import hashlib
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.utilities import rank_zero_only

from imagen_lit import run_folder

Mode = Literal["online", "offline", "disabled"]

PATIENCE = 30  # seconds: for the server to answer at the start, and to take the rest at the end


class Mirror(run_folder.Journal):
    """Offline unless the user is logged in; WANDB_MODE has the last word. `run` is its name."""

    def __init__(
        self,
        folder: str,
        run: str,
        project: str,
        entity: str | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        super().__init__(folder)
        self.folder, self.run = Path(folder), run
        self.project, self.entity, self.tags = project, entity, list(tags)
        self._there: Any = None  # W&B's run, while it is open
        self._line = 0  # of metrics.jsonl, the next one
        self._heard = 0  # lines that the server has from an earlier process
        self._broken = False

    @property
    def experiment(self) -> Any:
        """Lightning asks for it where a fit begins."""
        self._open()
        return self._there

    @rank_zero_only
    def write(self, row: Mapping[str, Any]) -> None:
        super().write(row)
        if self._there is None:
            self._open()  # which tells all rows, this one among them
        else:
            with self._forgiving():
                self._tell(row)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """At the end of every fit, also of one that failed: the next member of a sweep, in the
        same process, is a run of its own."""
        there, self._there = self._there, None
        if there is not None:
            with self._forgiving():
                there.finish(exit_code=0 if status == "success" else 1)

    @rank_zero_only
    def _open(self) -> None:
        off = os.environ.get("WANDB_MODE") == "disabled"
        if off or self._there is not None or self._broken:
            return
        with self._forgiving():
            self._there = self._begin(mode())
            self._there.define_metric("*", step_metric="images")
            self._line, self._heard = 0, self._there.starting_step
            for row in run_folder.metrics(self.folder):
                self._tell(row)
            self._say()

    def _begin(self, how: Mode) -> Any:
        """W&B's run, in that mode; offline where the server does not answer."""
        import wandb

        (self.folder / "wandb").mkdir(parents=True, exist_ok=True)  # or W&B goes elsewhere
        settings = run_folder.settings(self.folder)
        try:
            return wandb.init(
                project=self.project,
                entity=self.entity,
                id=identity(self.run),
                name=self.run,
                group=group(self.run),
                job_type=stage(settings),
                tags=self.tags,
                config=settings,
                dir=str(self.folder),
                mode=how,
                resume="allow" if how == "online" else None,
                reinit="create_new",
                settings=wandb.Settings(
                    init_timeout=PATIENCE,
                    finish_timeout=PATIENCE,
                    x_transaction_log_flush_interval=1,  # seconds; a kill loses no more
                    console="off",
                    silent=True,
                ),
            )
        except wandb.Error as error:
            if how != "online":
                raise
            warnings.warn(
                f"W&B is offline until the next start, because its server did not take the run "
                f"({_words(error)})",
                stacklevel=2,
            )
            wandb.teardown()  # its other process still holds on to the run
            return self._begin("offline")

    def _tell(self, row: Mapping[str, Any]) -> None:
        line, self._line = self._line, self._line + 1
        if line >= self._heard:
            self._there.log(shown(row, self.folder), step=line)

    def _say(self) -> None:
        if not self._there.offline:
            if self._there.url:  # none where it is disabled by its own settings
                print(f"W&B shows it at {self._there.url}", flush=True)
            return
        files = Path(self._there.settings.sync_dir)
        for older in files.parent.glob("offline-run-*"):
            if older.name != files.name:
                shutil.rmtree(older)
        print(f"W&B is offline; to upload what it keeps: wandb sync {files}", flush=True)

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._there, self._broken = None, True
            warnings.warn(
                f"W&B is left out until the next start ({_words(error)}); training goes on, and "
                f"{self.file} has every row",
                stacklevel=2,
            )


def identity(name: str) -> str:
    """The id of a run: its name as W&B takes it. What was lost with slashes is in the hash."""
    safe = re.sub(r"[^\w.=,-]+", "-", name, flags=re.ASCII)[:100]
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def group(name: str) -> str | None:
    """sweep/demo/drop-0.1 -> sweep/demo."""
    return name.rpartition("/")[0] or None


def stage(settings: Mapping[str, Any]) -> str:
    """base16, sr64: what is learnt, and at which size."""
    kind = "sr" if "factor" in settings["stage"]["condition"] else "base"
    return f"{kind}{settings['data']['size']}"


def shown(row: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A row as W&B draws it: intervals as three curves, a sheet of pictures as the picture."""
    import wandb

    said: dict[str, Any] = {}
    for name, value in row.items():
        if name.startswith("score/"):
            said |= dict(zip((name, f"{name}_low", f"{name}_high"), value, strict=True))
        elif name != "preview":
            said[name] = value
        elif (folder / value).is_file():  # it may have been taken away since
            said[name] = wandb.Image(str(folder / value), caption=f"after {row['images']:,} images")
    return said


def mode() -> Mode:
    """online where the user is logged in, or what WANDB_MODE says. Neither prompt nor network."""
    import wandb

    wanted = wandb.setup().settings.mode
    if wanted == "disabled":
        return "disabled"
    if wanted in ("offline", "dryrun"):
        return "offline"
    return "online" if wandb.login(prompt=False, verify=False) else "offline"


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
