"""Which systems are compared, and over which prompts."""

from collections.abc import Sequence
from itertools import combinations

from imagen_lit.basics.errors import InputError
from imagen_lit.rating.system import System
from imagen_lit.rating.trial import PictureSet


def pairs(systems: Sequence[System], against: str | None) -> list[tuple[System, System]]:
    """Every two systems, or each of the others with the one named `against`."""
    if len(systems) < 2:
        raise InputError(
            "one system is no comparison. Set systems='{ours: folder, theirs: folder}', or "
            "rating=fine, which takes a single one."
        )
    if against is None:
        return list(combinations(systems, 2))
    return [(each, by_name(systems, against)) for each in systems if each.name != against]


def by_name(systems: Sequence[System], name: str) -> System:
    """The system of this name."""
    for system in systems:
        if system.name == name:
            return system
    names = ", ".join(system.name for system in systems)
    raise InputError(f"there is no system {name!r}. Name one of systems: {names}.")


def common_prompts(systems: Sequence[System]) -> list[str]:
    """The prompts that all of them drew, in the first's order."""
    first, *others = systems
    prompts = [prompt for prompt in first.sets if all(prompt in each.sets for each in others)]
    if not prompts:
        names = " and ".join(system.name for system in systems)
        raise InputError(
            f"{names} share no prompt: {next(iter(first.sets))!r} is the first of {first.name}. "
            "Name folders that were drawn for the same prompts, word for word."
        )
    return prompts


def picture_sets(systems: Sequence[System], prompt: str, images: int) -> tuple[PictureSet, ...]:
    """A set of each system, all of the same number of images, at most `images`."""
    count = min(images, *(len(system.sets[prompt].files) for system in systems))
    return tuple(PictureSet(system.name, system.sets[prompt].files[:count]) for system in systems)


def category(systems: Sequence[System], prompt: str) -> tuple[str, ...]:
    """The prompt's category, where a system's folder says it."""
    names = (system.sets[prompt].category for system in systems)
    return tuple(name for name in [next(filter(None, names), "")] if name)
