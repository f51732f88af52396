"""A stage's recipe as a form holds it: flat, its parts by the names of their options in `conf/`.

    {"steps": 16, "sampler": "ddim", "guidance": "classifier_free", "guidance.weight": 3.0, ...}

Law: the recipe of a recipe's settings is that recipe. Settings may come from anywhere, such as a
file of others: no class is ever taken from them, only options, numbers and what a Recipe checks.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import assets, config, user_error

Node = dict[str, Any]
Settings = Mapping[str, Any]
USUAL = {"sampler": "ddim", "spacing": "time", "guidance": "classifier_free", "threshold": "static"}
PARTS = tuple(USUAL)  # USUAL: where settings choose none, as those of earlier versions
TARGET, PARTIAL = "_target_", "_partial_"
RECIPE = "imagen_lit.stage.recipe.Recipe"
PLAIN = (int, float, str, bool, type(None))


@cache
def options() -> dict[str, dict[str, Node]]:
    """The options of each part, with their own settings."""
    folder = Path(assets.conf()) / "diffusion"
    return {
        part: {file.stem: _node(file) for file in sorted((folder / part).glob("*.yaml"))}
        for part in PARTS
    }


def choices() -> dict[str, dict[str, Node]]:
    """The same for a form: without the names of classes."""
    return {
        part: {name: _own(node) for name, node in nodes.items()}
        for part, nodes in options().items()
    }


def settings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's node, resolved, as settings. One of other parts is refused."""
    if not isinstance(recipe, Mapping) or recipe.get(TARGET) != RECIPE:
        raise InputError(
            "its recipe is not one of this version. Draw it with the version that its file names."
        )
    return dict(_flat(recipe))


def recipe(settings: Settings) -> Node:
    """The node that these settings describe. What no recipe has is refused."""
    nodes = {part: _option(part, settings.get(part, usual)) for part, usual in USUAL.items()}
    node: Node = {TARGET: RECIPE}
    for key, value in settings.items():
        part, _, name = key.partition(".")
        if part in PARTS and not name:
            continue
        if type(value) not in PLAIN or (isinstance(value, str) and "${" in value):
            raise InputError(f"{key}={value!r} is no number. Set {key} to one.")
        if part in PARTS:
            _refuse_unknown(key, name, _own(nodes[part]))
            nodes[part][name] = value
        else:
            node[key] = value
    return node | nodes


def build(node: Node) -> Any:
    """The Recipe of a node; what it refuses is refused in its words."""
    try:
        return config.build(node)
    except InstantiationException as error:
        words = user_error.sentence(error, list)
        raise InputError(words or f"this recipe cannot be built: {error}") from error


def of_cascade(cascade: Mapping[str, Any], recipes: Mapping[str, Settings]) -> Node:
    """A cascade's node with these recipes, and with the stages alone that have one."""
    if unknown := sorted(recipes.keys() - cascade.keys()):
        known = ", ".join(name for name in cascade if name != TARGET)
        raise InputError(f"{unknown[0]} is no stage of the cascade, which has {known}. Set those.")
    stages = {
        name: {**cascade[name], "recipe": recipe(recipes[name])}
        for name in cascade
        if name in recipes
    }
    return {TARGET: cascade[TARGET], **stages}


def words(stage: str, settings: Settings, usual: Settings) -> list[str]:
    """What to type for these settings where they are not the usual ones of the stage."""
    place = f"cascade.{stage}.recipe"
    typed = []
    for part in PARTS:
        if settings.get(part) != usual.get(part):
            typed.append(f"diffusion/{part}@{place}.{part}={settings[part]}")
    for key, value in settings.items():
        part, _, name = key.partition(".")
        is_new = bool(name) and settings.get(part) != usual.get(part)  # then all it has is typed
        if key not in PARTS and (is_new or value != usual.get(key)):
            typed.append(f"{place}.{key}={'null' if value is None else value}")
    return typed


def _flat(recipe: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in recipe.items():
        if key in PARTS:
            option = _name(key, value)
            yield key, option
            yield from ((f"{key}.{name}", each) for name, each in _own(value).items())
        elif key != TARGET:
            if type(value) not in PLAIN:
                raise InputError(
                    f"its recipe has {key}, which no recipe of this version has. Draw it with the "
                    "version that its file names."
                )
            yield key, value


def _name(part: str, node: Any) -> str:
    """The option that a part's node is of: the one with its numbers, or the first with its names
    where several are of one class."""
    target = node.get(TARGET) if isinstance(node, Mapping) else None
    of_class = {
        name: _own(each) for name, each in options()[part].items() if each[TARGET] == target
    }
    for name, own in of_class.items():
        if own == _own(node):
            return name
    for name, own in of_class.items():
        if own.keys() == _own(node).keys():
            return name
    raise InputError(
        f"its {part} is none of {', '.join(options()[part])}. Draw it with the version that its "
        "file names."
    )


def _option(part: str, name: Any) -> Node:
    if type(name) is not str or name not in options()[part]:
        known = ", ".join(options()[part])
        raise InputError(f"{part}={name!r} is none of {known}. Choose one of them.")
    return dict(options()[part][name])


def _refuse_unknown(key: str, name: str, own: Node) -> None:
    if name not in own:
        raise InputError(f"{key} is no setting of this part. Leave it out, or choose another part.")


def _own(node: Mapping[str, Any]) -> Node:
    return {key: value for key, value in node.items() if key not in (TARGET, PARTIAL)}


def _node(file: Path) -> Node:
    node: Any = OmegaConf.to_container(OmegaConf.load(file))
    return node
