"""How a run differs from the paper, as a block of a report."""

from collections.abc import Mapping
from typing import Any

from imagen_lit.basics.short_form import quantity
from imagen_lit.paper import deviation
from imagen_lit.report.deviation_table import HEADS, cells
from imagen_lit.report.document import Fold, Table


def fold(name: str, settings: Mapping[str, Any]) -> Fold | None:
    """None for a run that corresponds to no stage of the paper."""
    stage, rows = deviation.stage_words(settings), deviation.deviations(settings)
    if stage is None:
        return None
    title = f"{name} differs from the paper’s {stage} in {quantity(len(rows), 'choice')}"
    return Fold(title, [Table(HEADS, [cells(row) for row in rows])])
