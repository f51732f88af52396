"""A part that a picture's own file describes. The file may come from anywhere, so a node is built
only if all that it names belongs to the parts that are wanted there."""

from collections.abc import Sequence
from typing import Any

from hydra.errors import InstantiationException

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config, user_error

RECIPE = (
    "imagen_lit.stage.recipe.Recipe",
    "imagen_lit.diffusion.",
)  # all that a recipe is made of


def refuse(node: Any, wanted: Sequence[str], kind: str, file: str) -> None:
    """Raise if a node names anything but parts of this kind."""
    if isinstance(node, str) and "${" in node:
        raise InputError(
            f"{file} has {node!r}, which is no value. Set from=... to a picture of your own."
        )
    for key, value in node.items() if isinstance(node, dict) else ():
        if key == "_target_" and not str(value).startswith(tuple(wanted)):
            raise InputError(
                f"{file} names {value}, which is no part of {kind}, and is not built. Set from=... "
                "to a picture of your own."
            )
        refuse(value, wanted, kind, file)
    for value in node if isinstance(node, list) else ():
        refuse(value, wanted, kind, file)


def build(node: Any, wanted: Sequence[str], kind: str, file: str) -> Any:
    """The part; what it refuses itself is refused in its words."""
    refuse(node, wanted, kind, file)
    if not isinstance(node, dict) or "_target_" not in node:
        raise InputError(f"{file} is damaged: it has no {kind}. Set from=... to another picture.")
    try:
        return config.build(node)
    except InstantiationException as error:
        words = user_error.sentence(error, list)
        raise InputError(
            f"{file} has {kind} that cannot be built: {words or error} Set from=... to another "
            "picture."
        ) from error
