"""A launcher does the cells of an ablation that are still to do, somewhere."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from imagen_lit.ablation.cell import Cell

Report = Callable[[], None]  # writes it from what is there
Work = Callable[[Cell], None]  # does one cell in the process that calls it; a function of a module


class Launcher(Protocol):
    """Chosen by `launcher=…`, an option of conf/launcher/."""

    def launch(self, cells: Sequence[Cell], work: Work, runs: str, ablation: str) -> None:
        """Do these cells, each after those of them that it needs, and print what happens. A cell
        that fails stops nothing but those that need it."""
        ...


@runtime_checkable
class Queue(Launcher, Protocol):
    """A launcher whose cells go on when the driver is gone."""

    def taken_up(self, runs: Path) -> Mapping[str, str]:
        """The jobs that an earlier driver has left, by cell: `launch` waits for them."""
        ...

    def cancel_left(self, runs: Path, ablation: str, cells: Iterable[str]) -> None:
        """End those that an earlier driver has left for cells that are none of these any more."""
        ...

    def then(self, report: Report) -> None:
        """Let this be done once all is over that `launch` submits, also without a driver."""
        ...

    def outlook(self, cells: Sequence[Cell]) -> list[str]:
        """What is in the queue before these, in lines."""
        ...
