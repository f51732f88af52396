"""What a `_target_` may name: `build` runs it, and a config can come from an untrusted source.

Of our own package a class, or a function of mathematics or networks, at the address of its
definition: no function that writes files. Of the others named here what they define themselves,
also a method of a class, such as `T5EncoderModel.from_pretrained`. What they import from elsewhere
(`imagen_lit.run.checkpoint.torch.load`) is none of these.
"""

import inspect
from typing import Any

from hydra.utils import get_object

from imagen_lit.basics.errors import InputError

OWN = "imagen_lit."
FUNCTIONS = ("imagen_lit.diffusion.", "imagen_lit.network.")
ALLOWED = (OWN, "torch.optim.", "lightning.", "transformers.")


def find(target: Any, key: str) -> Any:
    """What `key` names as its target; others are refused."""
    package = next((each for each in ALLOWED if str(target).startswith(each)), None)
    if package is None:
        raise InputError(
            f"{key} has _target_ {target}, which a config may not build. "
            f"Choose a _target_ that begins with one of {', '.join(ALLOWED)}."
        )
    thing = get_object(target)
    if not _is_defined(thing, target, package):
        raise InputError(
            f"{key} has _target_ {target}, which a config may not build: "
            f"{package.removesuffix('.')} defines no class there, and no function that is free to "
            "be named. Choose one of its classes."
        )
    return thing


def _is_defined(thing: Any, target: str, package: str) -> bool:
    """Whether the package defines it; ours is named by where it stands."""
    if package == OWN:
        is_free = inspect.isfunction(thing) and str(target).startswith(FUNCTIONS)
        is_ours = inspect.isclass(thing) or is_free
        return is_ours and f"{thing.__module__}.{thing.__qualname__}" == target
    if inspect.isclass(thing) or inspect.isfunction(thing):
        return f"{thing.__module__}.".startswith(package)
    owner = getattr(thing, "__self__", None)
    is_of_class = inspect.ismethod(thing) and inspect.isclass(owner)
    return is_of_class and all(
        f"{each.__module__}.".startswith(package) for each in (owner, thing.__func__)
    )
