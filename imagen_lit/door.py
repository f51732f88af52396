"""A door: how every command of this house is opened, and what it says when it cannot go on.

`main` turns a function of a config into a command: `python -m imagen_lit.<door>`, with the root
config `conf/<door>.yaml`, overrides, `--cfg job`, `--help` and `-m +sweep=...`. A fault of the
input ends in one sentence and a non-zero exit; a fault of ours keeps its traceback, and so does
everything under HYDRA_FULL_ERROR=1. `compose` gives the same config inside a running process;
`build` makes the object that a config node describes.
"""

import functools
import inspect
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, get_origin

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime
from hydra.errors import HydraException
from hydra.types import RunMode
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from imagen_lit import assets, complaint, start

Task = Callable[[DictConfig], Any]

# What a config may name: `build` runs it, and a config can come from a stranger.
ALLOWED = ("imagen_lit.", "torch.optim.", "lightning.", "transformers.")

# What YAML must give where a signature asks for it.
PLAIN: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}
PLAIN |= {kind: (list,) for kind in (list, tuple, Sequence)}
HYDRA_KEYS = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")
FULL_ERROR = "HYDRA_FULL_ERROR"


def main(config_name: str) -> Callable[[Task], Callable[..., Any]]:
    """Decorate the one function of a door. Called with a config, it runs in this very process."""

    def decorate(task: Task) -> Callable[..., Any]:
        @functools.wraps(task)
        def opened(cfg: DictConfig | None = None) -> Any:
            return _open(task, config_name) if cfg is None else task(cfg)

        return opened

    return decorate


def _open(task: Task, config_name: str) -> None:
    asked = os.environ.get(FULL_ERROR)

    @functools.wraps(task)
    def member(cfg: DictConfig) -> Any:
        with _environment(FULL_ERROR, asked):
            try:
                _hush()
                _refuse_strays()
                return task(cfg)
            except Exception as error:
                # Read it here: a joblib worker sends an exception home without its traceback.
                sentence = None if asked == "1" else complaint.of(error, list)
                if sentence is None:
                    raise
                if HydraConfig.get().mode == RunMode.RUN:
                    sys.exit(f"error: {sentence}")
                # Other points must go on; Hydra tells which point it was when all are done.
                raise complaint.Complaint(sentence) from error

    try:
        with _environment(FULL_ERROR, "1"):  # Hydra then raises what it would print
            assets.register_sweeps()
            hydra.main(assets.conf(), config_name, version_base="1.3")(member)()
    except KeyboardInterrupt:
        start.stop()
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning's way to end a fit
            start.stop()
        raise
    except Exception as error:
        keys = functools.partial(_keys, config_name)
        sentence = None if asked == "1" else complaint.of(error, keys)
        if sentence is None:
            raise
        sys.exit(f"error: {sentence}")


def _hush() -> None:
    """Warnings are seen, ours above all; Lightning's hints about what it found are not."""
    for chatty in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for hint in ("The `srun` command is available", r"`isinstance\(treespec, LeafSpec\)`"):
        warnings.filterwarnings("ignore", hint)


def _refuse_strays() -> None:
    """Hydra adds a key of any name for `+name=value`: a misspelt `+sweep=` would go unnoticed, and
    so would `+stagee.images=`."""
    config = HydraConfig.get()
    groups = GlobalHydra.instance().config_loader().list_groups("")
    added = {w: w[1:].partition("=")[0] for w in config.overrides.task if re.match(r"\+[^+]", w)}
    for name in added.values():
        if name.isidentifier() and name not in config.runtime.choices:
            raise ValueError(
                f"+{name}= names no group{complaint.nearest(name, groups)}; "
                f"the groups are {', '.join(groups)}, and ++{name}=... adds a mere key"
            )
    deep = {word: name for word, name in added.items() if not name.isidentifier()}
    if not deep:
        return
    others = [word for word in config.overrides.task if word not in deep]
    root: Any = config.job.config_name  # a door always names one
    known = {*groups, *map(str, _compose(root, others, with_hydra=False))}
    for name in deep.values():
        first = re.split("[./@]", name)[0]
        if first not in known:
            raise ValueError(
                f"+{name}= adds to {first}, which is not there{complaint.nearest(first, known)}; "
                f"++{name}=... adds it all the same"
            )


@contextmanager
def _environment(name: str, value: str | None) -> Iterator[None]:
    before = os.environ.get(name)
    _set(name, value)
    try:
        yield
    finally:
        _set(name, before)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def compose(config_name: str, overrides: Sequence[str] = ()) -> DictConfig:
    """The config that `python -m imagen_lit.<config_name> <overrides>` would get.

    Safe inside a running door: Hydra's global state is put back as it was.
    """
    return _compose(config_name, overrides, with_hydra=False)


def _compose(config_name: str, overrides: Sequence[str], with_hydra: bool) -> DictConfig:
    running, name = GlobalHydra.instance().hydra, JobRuntime.instance().get("name")
    GlobalHydra.instance().clear()
    try:
        assets.register_sweeps()
        with hydra.initialize_config_dir(assets.conf(), config_name, version_base="1.3"):
            return hydra.compose(config_name, list(overrides), return_hydra_config=with_hydra)
    finally:
        GlobalHydra.instance().hydra = running
        JobRuntime.instance().set("name", name)


def _keys(config_name: str) -> list[str]:
    """Every key and group that this command line could have set."""
    kept: list[str] = []
    for word in sys.argv[1:]:  # the overrides that hold decide which keys there are
        with suppress(HydraException):
            _compose(config_name, [*kept, word], with_hydra=False)
            kept.append(word)
    groups = _compose(config_name, kept, with_hydra=True).hydra.runtime.choices
    cfg = _compose(config_name, kept, with_hydra=False)
    return [*map(str, groups), *_dotted(OmegaConf.to_container(cfg))]


def _dotted(node: Any, prefix: str = "") -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in HYDRA_KEYS:
            continue
        yield f"{prefix}{key}"
        yield from _dotted(value, f"{prefix}{key}.")


def build(node: DictConfig | ListConfig | dict[str, Any]) -> Any:
    """The object that a config node describes, made of plain Python values only."""
    node = OmegaConf.create(node) if isinstance(node, dict) else node
    check(OmegaConf.to_container(node, resolve=True), node._get_full_key(None))
    return instantiate(node, _convert_="all")


def whole(cfg: DictConfig, **least: int) -> None:
    """Raise ValueError unless each of these keys is a whole number, at least so large."""
    for key, smallest in least.items():
        if type(cfg[key]) is not int or cfg[key] < smallest:
            raise ValueError(
                f"found {key}={cfg[key]}: expected a whole number from {smallest} upwards; "
                f"type {key}={max(smallest, 1)}, for example"
            )


def check(node: Any, key: str = "") -> None:
    """Raise ValueError unless every `_target_` in a plain node may be built as it is written.

    Its name is allowed, its keywords are those of its signature, none it needs is left out, and
    a number, word or list stands where the signature asks for one.
    """
    if isinstance(node, list):
        for index, item in enumerate(node):
            check(item, f"{key}[{index}]")
    elif isinstance(node, dict):
        if "_target_" in node:
            _check_target(node, key or "the node")
        for name, value in node.items():
            check(value, f"{key}.{name}" if key else str(name))


def _check_target(node: dict[str, Any], key: str) -> None:
    target = node["_target_"]
    if not str(target).startswith(ALLOWED):
        raise ValueError(
            f"{key} has _target_ {target}, which a config may not build; "
            f"a _target_ begins with {', '.join(ALLOWED)}"
        )
    parameters = inspect.signature(get_object(target)).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    named = [
        name for name, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    given = {name: value for name, value in node.items() if name not in HYDRA_KEYS}
    for name, value in given.items():
        if name in named:
            _check_value(f"{key}.{name}", value, parameters[name].annotation, target)
        elif inspect.Parameter.VAR_KEYWORD not in kinds:
            raise ValueError(
                f"{key}.{name} is no parameter of {target}"
                f"{complaint.nearest(name, named)}; it takes {', '.join(named) or 'none'}"
            )
    if node.get("_partial_") is True:
        return
    positional = named[: len(node.get("_args_", []))]
    for name in named:
        if parameters[name].default is inspect.Parameter.empty and name not in [
            *given,
            *positional,
        ]:
            raise ValueError(f"{key} lacks {name}, which {target} needs: add {key}.{name}")


def _check_value(key: str, value: Any, annotation: Any, target: str) -> None:
    wanted = get_origin(annotation) or annotation
    allowed = PLAIN.get(wanted, ())
    built = value == "???" or (isinstance(value, dict) and "_target_" in value)
    if allowed and not built and type(value) not in allowed:
        raise ValueError(f"{key} is {value!r}, and {target} wants {wanted.__name__.lower()} there")
