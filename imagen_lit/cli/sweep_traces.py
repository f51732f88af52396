"""What Hydra leaves of a sweep: `multirun.yaml`, which nothing reads, and a folder for each member.

Both are removed at the end, the folders where they are empty, so that a sweep with `--dry-run`
writes nothing, and neither does one that is refused.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf

from imagen_lit.cli import config

FILE = "multirun.yaml"


def remove(config_name: str, overrides: Sequence[str]) -> None:
    """Remove what the sweep with these overrides has left, but for its members' work."""
    places = [word for word in overrides if word.startswith(("runs=", "hydra.sweep.dir="))]
    with suppress(HydraException, OSError):
        cfg = config.compose(config_name, places, with_hydra=True)
        folder = Path(str(OmegaConf.select(cfg, "hydra.sweep.dir")))
        (folder / FILE).unlink(missing_ok=True)
        _remove_empty(folder)


def remove_member(hydra: Any) -> None:
    """Remove the folder of a member that has left nothing there, with those above it."""
    last, folder = Path(str(hydra.sweep.dir)).absolute(), Path(hydra.runtime.output_dir).absolute()
    with suppress(OSError):
        while folder != last and last in folder.parents:
            folder.rmdir()
            folder = folder.parent


def _remove_empty(folder: Path) -> None:
    if not folder.resolve().samefile("."):
        folder.rmdir()
