"""W&B logging: every row of metrics.jsonl, copied to W&B.

metrics.jsonl is the source of truth. Its line n is W&B's step n and `images` is the axis, so steps
never collide and never run backwards; W&B identifies a run by its name. Online, a resumed run sends
what the server does not have yet. Offline it starts a new file and logs everything: there is always
one file, and it holds the whole run.

When W&B breaks, one warning says so and the run continues; hence W&B is imported where it is first
used, inside the code whose errors are caught. With WANDB_MODE=disabled it is not imported at all.
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

from imagen_lit.run import metrics, run_folder
from imagen_lit.run.jsonl_logger import JsonlLogger

Mode = Literal["online", "offline", "disabled"]

TIMEOUT = 30  # seconds: for the server to answer at the start, and to take the rest at the end


class WandbLogger(JsonlLogger):
    """Offline unless the user is logged in; WANDB_MODE overrides this. `run` is the run's name."""

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
        self._wandb_run: Any = None  # while it is open
        self._line = 0  # of metrics.jsonl, the next one
        self._lines_on_server = 0  # from an earlier process
        self._protocols: dict[str, str] = {}  # of each score, as it was at first
        self._is_broken = False

    @property
    def experiment(self) -> Any:
        """W&B's run. None before the first row: opening it takes seconds, and Lightning asks for it
        before the first update."""
        return self._wandb_run

    @rank_zero_only
    def write(self, row: Mapping[str, Any]) -> None:
        """One row into the file, then to W&B."""
        super().write(row)
        if self._wandb_run is None:
            self._open()  # which logs all rows, including this one
        else:
            with self._forgiving():
                self._log(row)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Close the run at the end of every fit, even a failed one: the next member of a sweep, in
        the same process, is a separate run."""
        wandb_run, self._wandb_run = self._wandb_run, None
        if wandb_run is not None:
            with self._forgiving():
                wandb_run.finish(exit_code=0 if status == "success" else 1)

    @rank_zero_only
    def _open(self) -> None:
        is_off = os.environ.get("WANDB_MODE") == "disabled"
        if is_off or self._wandb_run is not None or self._is_broken:
            return
        with self._forgiving():
            self._wandb_run = self._init(login_mode())
            self._wandb_run.define_metric("*", step_metric="images")
            self._line, self._lines_on_server = 0, self._wandb_run.starting_step
            for row in metrics.read(self.folder):
                self._log(row)
            self._print_where()

    def _init(self, mode: Mode) -> Any:
        """W&B's run in that mode, or offline if the server does not answer."""
        import wandb

        (self.folder / "wandb").mkdir(parents=True, exist_ok=True)  # or W&B writes elsewhere
        settings = run_folder.read_settings(self.folder)
        try:
            return wandb.init(
                project=self.project,
                entity=self.entity,
                id=run_id(self.run),
                name=self.run,
                group=group(self.run),
                job_type=job_type(settings),
                tags=self.tags,
                config=settings,
                dir=str(self.folder),
                mode=mode,
                resume="allow" if mode == "online" else None,
                reinit="create_new",
                settings=wandb.Settings(
                    init_timeout=TIMEOUT,
                    finish_timeout=TIMEOUT,
                    x_transaction_log_flush_interval=1,  # seconds; a kill loses no more
                    console="off",
                    silent=True,
                ),
            )
        except wandb.Error as error:
            if mode != "online":
                raise
            warnings.warn(
                f"W&B is offline until the next start, because its server did not take the run "
                f"({_in_words(error)})",
                stacklevel=2,
            )
            wandb.teardown()  # its other process still holds the run
            return self._init("offline")

    def _log(self, row: Mapping[str, Any]) -> None:
        line, self._line = self._line, self._line + 1
        self._protocols = row.get("protocols", {}) | self._protocols
        if line >= self._lines_on_server:
            self._wandb_run.log(wandb_row(row, self.folder, self._protocols), step=line)

    def _print_where(self) -> None:
        if not self._wandb_run.offline:
            if self._wandb_run.url:  # none where W&B's own settings disable it
                print(f"W&B shows it at {self._wandb_run.url}", flush=True)
            return
        files = Path(self._wandb_run.settings.sync_dir)
        for older in files.parent.glob("offline-run-*"):
            if older.name != files.name:
                shutil.rmtree(older)
        print(f"W&B is offline; to upload its file: wandb sync {files}", flush=True)

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._wandb_run, self._is_broken = None, True
            warnings.warn(
                f"W&B is not used until the next start ({_in_words(error)}); training continues, "
                f"and {self.file} has every row",
                stacklevel=2,
            )


def run_id(name: str) -> str:
    """A run's id: its name as W&B accepts it, with a hash of what that loses (slashes)."""
    safe = re.sub(r"[^\w.=,-]+", "-", name, flags=re.ASCII)[:100]
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def group(name: str) -> str | None:
    """sweep/demo/drop-0.1 -> sweep/demo."""
    return name.rpartition("/")[0] or None


def job_type(settings: Mapping[str, Any]) -> str:
    """base16, sr64: the kind of stage and its image size."""
    kind = "sr" if "factor" in settings["stage"]["condition"] else "base"
    return f"{kind}{settings['data']['size']}"


def wandb_row(row: Mapping[str, Any], folder: Path, first: Mapping[str, str]) -> dict[str, Any]:
    """A row as W&B draws it: an interval as three curves, a sheet of images as the image. A score
    whose protocol is not the run's `first` has curves of its own."""
    import wandb

    result: dict[str, Any] = {}
    codes: Mapping[str, str] = row.get("protocols", {})
    own = {name: f"{name}@{code}" for name, code in codes.items() if first.get(name, code) != code}
    for name, value in row.items():
        if name.startswith("score/"):
            numbers = value if isinstance(value, list) else [value]  # alone: without an interval
            curve = own.get(name, name)
            result |= dict(zip((curve, f"{curve}_low", f"{curve}_high"), numbers, strict=False))
        elif name == "protocols":
            result |= {f"{own.get(score, score)}_protocol": code for score, code in value.items()}
        elif name != "preview":
            result[name] = value
        elif (folder / value).is_file():  # it may have been removed since
            caption = f"after {row['images']:,} images"
            result[name] = wandb.Image(str(folder / value), caption=caption)
    return result


def login_mode() -> Mode:
    """online if the user is logged in, or what WANDB_MODE says. Neither prompt nor network."""
    import wandb

    mode = wandb.setup().settings.mode
    if mode == "disabled":
        return "disabled"
    if mode in ("offline", "dryrun"):
        return "offline"
    return "online" if wandb.login(prompt=False, verify=False) else "offline"


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
