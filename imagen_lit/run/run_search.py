"""All runs below a folder, at any depth, with the evaluations and sheets of samples among them."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from imagen_lit.basics.printable import printable
from imagen_lit.run import evaluation_facts, run_facts
from imagen_lit.run.evaluation_facts import EvaluationFacts
from imagen_lit.run.run_facts import RunFacts

LARGE = {"checkpoints", "wandb"}  # parts of a run folder in which no run lies
SHEET = ("samples", "sheet.png")  # samples/<how they were drawn>/sheet.png


@dataclass(frozen=True)
class Listing:
    """`by_run`: by a run's name, the evaluations that drew with it, each with the stage of the
    cascade that the run was. `sheets`: of samples, by the name of the folder that holds `samples`.
    """

    runs: list[RunFacts] = field(default_factory=list)
    evaluations: list[EvaluationFacts] = field(default_factory=list)
    by_run: dict[str, list[tuple[EvaluationFacts, str]]] = field(default_factory=dict)
    sheets: dict[str, list[Path]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def groups(self) -> dict[str, list[RunFacts]]:
        """The runs by group; what was changed last comes first."""
        groups: dict[str, list[RunFacts]] = {}
        for run in self.runs:
            groups.setdefault(run.group, []).append(run)
        return groups


def search(root: Path, match: str = "") -> Listing:
    """The runs below `root` whose name contains `match`, and what belongs to them. What was changed
    last comes first."""
    listing = Listing()

    def note(folder: str, problem: str) -> None:
        name = _name(Path(folder), root)
        if name == "." or match in name or match.startswith(f"{name}/"):  # it may hold one
            listing.notes.append(f"{printable(folder)} cannot be opened ({problem})")

    for folder, files in _walk(root, note):
        name = _name(folder, root)
        if {*run_facts.FILES} & {*files} and match in name:
            listing.runs.append(run_facts.read(folder, name))
        if evaluation_facts.FILE in files:
            evaluation = evaluation_facts.read(folder, name)
            if evaluation is None and match in name:
                listing.notes.append(f"{name}: {evaluation_facts.FILE} cannot be read")
            elif evaluation is not None:
                listing.evaluations.append(evaluation)
        if folder.parent.name == SHEET[0] and SHEET[1] in files:
            owner = _name(folder.parent.parent, root)
            listing.sheets.setdefault(owner, []).append(folder / SHEET[1])
    for each in (listing.runs, listing.evaluations):
        each.sort(key=lambda facts: (-facts.changed, facts.name))
    _match_evaluations(listing)
    return listing


def _match_evaluations(listing: Listing) -> None:
    """The name of an evaluated run ends the path that the evaluation knows it by, wherever the
    folder of all runs may be now; of two such runs, the longer name is the run."""
    parts = {run.name: PurePath(run.name).parts for run in listing.runs}
    for evaluation in listing.evaluations:
        for stage, path in evaluation.runs.items():
            there = PurePath(path).parts
            names = [name for name, own in parts.items() if there[-len(own) :] == own]
            if names:
                owner = max(names, key=lambda name: len(parts[name]))
                listing.by_run.setdefault(owner, []).append((evaluation, stage))


def _walk(root: Path, note: Callable[[str, str], None]) -> Iterator[tuple[Path, list[str]]]:
    """(folder, names of its files), following links to folders, each folder once."""

    def refuse(error: OSError) -> None:
        note(str(error.filename), str(error.strerror))

    known: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, onerror=refuse, followlinks=True):
        place = os.stat(folder)
        if (place.st_dev, place.st_ino) in known:
            folders.clear()
            continue
        known.add((place.st_dev, place.st_ino))
        if {*run_facts.FILES} & {*files}:
            folders[:] = [name for name in folders if name not in LARGE]
        folders.sort()
        yield Path(folder), files


def _name(folder: Path, root: Path) -> str:
    """The name as one types it, unless it holds what nobody can type."""
    return printable(os.fsencode(folder.relative_to(root).as_posix()).decode(errors="replace"))
