"""Where `conf/`, `sweeps/` and `slurm/` are, in a checkout and in an installed wheel alike.

They are next to the package in a checkout and inside it, under `_assets/`, in a wheel
(pyproject.toml, force-include). They are located relative to this file, never to the working
directory. A config writes `${asset:slurm/early}`; the other resolvers for configs are here too.
"""

from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from imagen_lit.basics.errors import InputError

PACKAGE = Path(__file__).resolve().parents[1]


def root() -> Path:
    """The folder that holds `conf/`, `sweeps/` and `slurm/`."""
    # The wheel first: next to an installed package, another project may have put a `conf/`.
    inside = PACKAGE / "_assets"
    return inside if inside.is_dir() else PACKAGE.parent


def conf() -> str:
    """The absolute path of `conf/`, as Hydra wants it."""
    return str(root() / "conf")


def _tasks(devices: Any) -> int:
    """`${tasks:…}` of trainer.devices: SLURM tasks on each node, one per device."""
    if type(devices) is not int or devices < 1:
        raise InputError(
            f"trainer.devices={devices} is not a number of tasks that SLURM can start on a node. "
            "Set trainer.devices=<GPUs per node>."
        )
    return devices


def _gpus(tasks: int, accelerator: str) -> int | None:
    """`${gpus:…}` of these tasks: one GPU each if they train on GPUs (`trainer=gpu`)."""
    return None if accelerator in ("cpu", "auto") else tasks


def _memory(gpus: int | None) -> int | None:
    """`${memory:…}` of a job with these GPUs on a node: GB of the node's memory, or the default of
    the site."""
    return 64 if gpus else None


def _unlike(key: str, value: str, usual: str) -> str:
    """`${unlike:…}`: how a folder is named after a value that is not the usual one, as in
    ablations."""
    return "" if value == usual else f"+{key}-{value}"


OmegaConf.register_new_resolver("asset", lambda name: str(root() / name))
OmegaConf.register_new_resolver("tasks", _tasks)
OmegaConf.register_new_resolver("gpus", _gpus)
OmegaConf.register_new_resolver("cpus", lambda workers: workers + 1)
OmegaConf.register_new_resolver("memory", _memory)
OmegaConf.register_new_resolver("unlike", _unlike)
OmegaConf.register_new_resolver("chosen", lambda value, usual: usual if value is None else value)


def register_sweeps() -> None:
    """Make every `sweeps/*.yaml`, ours and the user's, an option of `+sweep=`.

    A sweep overrides the whole config, hence the package `_global_`. The user's file, in `sweeps/`
    of the working directory, takes precedence over ours of the same name.
    """
    for folder in (root() / "sweeps", Path.cwd() / "sweeps"):
        for path in sorted(folder.glob("*.yaml")):
            ConfigStore.instance().store(
                group="sweep",
                name=path.stem,
                node=_read(path, path.stat().st_mtime_ns),
                package="_global_",
            )


@cache  # a command composes dozens of configs, and registers the sweeps for each
def _read(path: Path, changed: int) -> DictConfig:
    try:
        sweep = OmegaConf.load(path)
    except YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {error}. Correct the file.") from error
    if not isinstance(sweep, DictConfig):
        raise InputError(
            f"{path} is a list. A sweep is a mapping with hydra.sweeper.params. Write one."
        )
    return sweep
