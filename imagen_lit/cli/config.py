"""From YAML to objects: `compose` gives a command's config inside a running process, `build` the
object that a config node describes, and `check` reports what in a node cannot be built.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobRuntime
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import assets
from imagen_lit.cli import target as _target

# The YAML types that a signature's annotation accepts.
PLAIN: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}
PLAIN |= {NoneType: (NoneType,)} | {kind: (list,) for kind in (list, tuple, Sequence)}
HYDRA_KEYS = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")


def compose(
    config_name: str, overrides: Sequence[str] = (), with_hydra: bool = False
) -> DictConfig:
    """The config that `python -m imagen_lit.<config_name> <overrides>` would get.

    Safe inside a running command: Hydra's global state is put back as it was.
    """
    with hydra_started(config_name):
        return hydra.compose(config_name, list(overrides), return_hydra_config=with_hydra)


@contextmanager
def hydra_started(job_name: str = "app") -> Iterator[None]:
    """Hydra over `conf/`, whose state is put back as it was."""
    running, name = GlobalHydra.instance().hydra, JobRuntime.instance().get("name")
    GlobalHydra.instance().clear()
    try:
        assets.register_sweeps()
        with hydra.initialize_config_dir(assets.conf(), job_name, version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = running
        JobRuntime.instance().set("name", name)


def groups() -> list[str]:
    """The names of all groups in `conf/`, and that of the sweeps."""
    with hydra_started():
        return GlobalHydra.instance().config_loader().list_groups("")


def options(group: str) -> list[str]:
    """The names of a group's options."""
    with hydra_started():
        return GlobalHydra.instance().config_loader().get_group_options(group)


def keys(node: Any, prefix: str = "") -> Iterator[str]:
    """Every key of a plain node as the user types it: `stage`, `stage.images`."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in HYDRA_KEYS:
            continue
        yield f"{prefix}{key}"
        yield from keys(value, f"{prefix}{key}.")


def build(node: DictConfig | ListConfig | dict[str, Any]) -> Any:
    """The object that a config node describes, made of plain Python values only."""
    node = OmegaConf.create(node) if isinstance(node, dict) else node
    if not OmegaConf.is_config(node):
        raise InputError(
            f"{node!r} stands where a part of a config is needed. Choose one of its options."
        )
    check(OmegaConf.to_container(node, resolve=True), node._get_full_key(None))
    return instantiate(node, _convert_="all")


def check(node: Any, key: str = "") -> None:
    """Raise InputError unless every `_target_` in a plain node can be built as it is written.

    Its name is allowed, its keywords are those of its signature, no required one is missing, and
    there is a number, string or list where the signature asks for one.
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
    parameters = inspect.signature(_target.find(target, key)).parameters
    takes_any = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    named = [
        name for name, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    keywords = {name: value for name, value in node.items() if name not in HYDRA_KEYS}
    for name, value in keywords.items():
        if name in named:
            _check_value(f"{key}.{name}", value, parameters[name].annotation, target)
        elif not takes_any:
            raise InputError(
                f"{key}.{name} is not a parameter of {target}"
                f"{did_you_mean(name, named)}. Choose from {', '.join(named) or 'none'}."
            )
    if node.get("_partial_") is True:
        return
    positional = named[: len(node.get("_args_", []))]
    for name in named:
        required = parameters[name].default is inspect.Parameter.empty
        if required and name not in keywords and name not in positional:
            raise InputError(f"{key} lacks {name}, which {target} needs. Add {key}.{name}.")


def _check_value(key: str, value: Any, annotation: Any, target: str) -> None:
    is_union = get_origin(annotation) in (Union, UnionType)
    kinds = [
        get_origin(kind) or kind for kind in (get_args(annotation) if is_union else [annotation])
    ]
    if value is None and kinds[0] not in (Any, inspect.Parameter.empty) and NoneType not in kinds:
        raise InputError(f"{key} is null, but {target} needs it. Choose one, or leave {key} out.")
    if type(value) in (int, float, str, bool) and value != "???" and all(map(_is_part, kinds)):
        raise InputError(
            f"{key} is {value!r}, but {target} takes a part with settings of its own there. "
            f"{_choice(key)}"
        )
    if not all(kind in PLAIN for kind in kinds):
        return
    is_built = value == "???" or (isinstance(value, dict) and "_target_" in value)
    if not is_built and not any(type(value) in PLAIN[kind] for kind in kinds):
        names = " or ".join("null" if k is NoneType else k.__name__.lower() for k in kinds)
        raise InputError(f"{key} is {value!r}, but {target} takes {names} there. Set {key} to one.")


def _is_part(kind: Any) -> bool:
    """Whether a value of this kind is built from a part of the config, and never typed."""
    is_ours = inspect.isclass(kind) and kind.__module__.startswith("imagen_lit.")
    return is_ours or kind in (Callable, NoneType)


def _choice(key: str) -> str:
    """How to choose a part: the option of a group, where there is one of that name."""
    conf = Path(assets.conf())
    for folder in sorted(conf.rglob(key.rpartition(".")[2])):
        if names := sorted(file.stem for file in folder.glob("*.yaml")):
            group = folder.relative_to(conf).as_posix()
            at = "" if key == group.replace("/", ".") else f"@{key}"
            return f"Choose one of {', '.join(names)}: {group}{at}={names[0]}."
    return f"Set its settings one by one, {key}.<name>=..., or leave it out."
