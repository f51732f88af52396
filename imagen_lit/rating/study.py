"""A study: which trials there are, and all that decides what a vote in it means.

Both are written into the database when the study begins. The same command continues it; votes on
other images, or under other rules, are another study's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import flatten, settings_diff
from imagen_lit.rating.database import Database
from imagen_lit.rating.system import System
from imagen_lit.rating.trial import PictureSet, Trial


def facts(
    protocol: str,
    instructions: Sequence[str],
    systems: Sequence[System],
    seed: int,
    prompts: int | None,
    edge: int | None,
) -> dict[str, Any]:
    """What decides the meaning of a vote, beside the trials: `prompts` is how many a rater sees,
    `edge` how large the images are shown."""
    return {
        "protocol": protocol,
        "seed": seed,
        "prompts": prompts,
        "edge": edge,
        "systems": {system.name: system.digest for system in systems},
        "instructions": list(instructions),
    }


@dataclass(frozen=True)
class Study:
    """A study whose votes go into `database`; each system's images lie in its folder."""

    database: Database
    facts: Mapping[str, Any]
    trials: list[Trial]
    folders: Mapping[str, Path]

    def file(self, pictures: PictureSet, number: int) -> Path:
        """Where an image of a set lies."""
        return self.folders[pictures.system] / pictures.files[number]


def start(
    database: Database, facts: Mapping[str, Any], trials: list[Trial], systems: Sequence[System]
) -> Study:
    """Begin a study, or continue that of the database; votes of another one are kept from it."""
    if not database.has_votes:
        database.begin(facts, trials)
    before, now = (flatten(dict(each)) for each in (database.facts, facts))
    if difference := settings_diff(before, now):
        raise InputError(
            f"{database.file} holds the votes of another study ({difference}). "
            "Set folder=... to a new place, or set what differs."
        )
    if database.trials != trials:
        raise InputError(
            f"{database.file} holds votes on other trials than these settings give. "
            "Set folder=... to a new place, or set rating and systems as they were."
        )
    folders = {system.name: system.folder for system in systems}
    return Study(database, database.facts, trials, folders)
