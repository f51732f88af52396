"""Which samples are wanted: bounds on what is known of them before any picture is read.

A sample is left out for the first reason that holds, in the order written here, so the counts of
the reasons and of what remains add up to all there are. A number that a sample's .json lacks lies
within no bounds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imagen_lit.data.facts import OWN, Facts
from imagen_lit.data.seen import Seen

Bounds = Sequence[float | None]  # lowest, highest; None: none


class Filter:
    """`fields` bounds any number of the .json by its name: {aesthetic: [5, null]}."""

    def __init__(
        self,
        min_side: int = 0,
        max_aspect: float | None = None,
        min_contrast: float = 0.0,
        caption_length: Bounds = (None, None),
        fields: Mapping[str, Bounds] | None = None,
        distinct_captions: bool = False,
    ) -> None:
        self.min_side, self.max_aspect, self.min_contrast = min_side, max_aspect, min_contrast
        for name in ("min_side", "max_aspect", "min_contrast"):
            none = vars(self)[name] is None and name != "max_aspect"
            if none or not _is_bound(vars(self)[name]):
                raise ValueError(f"found {name}={vars(self)[name]!r}: expected a number")
        self.caption_length = _bounds("caption_length", caption_length)
        if not isinstance(fields, Mapping | None):
            raise ValueError(f"found fields={fields!r}: expected {{aesthetic: [5, null]}}")
        if ours := [name for name in fields or {} if name in OWN]:
            raise ValueError(
                f"found fields={{{ours[0]}: …}}, which is found out of every sample and not taken "
                "from its .json: ask by min_side, max_aspect, min_contrast, caption_length or "
                "distinct_captions"
            )
        self.fields = {name: _bounds(name, bounds) for name, bounds in (fields or {}).items()}
        if not isinstance(distinct_captions, bool):
            raise ValueError(f"found distinct_captions={distinct_captions!r}: expected true, false")
        self.distinct_captions = distinct_captions

    @property
    def asks(self) -> bool:
        """Whether it asks for anything at all."""
        return vars(self) != vars(Filter())

    def identity(self) -> dict[str, Any]:
        """All that it says, for a file name and for a person."""
        return dict(vars(self))

    def keep(self, facts: Facts, captions: Seen) -> tuple[np.ndarray, dict[str, int]]:
        """Which rows remain, and how many each reason took.

        `captions` are the hashes of those that remained so far; this shard's are added.
        """
        keep = np.ones(len(facts["width"]), bool)
        counts: dict[str, int] = {}

        def leave_out(reason: str, out: np.ndarray) -> None:
            counts[reason] = int((keep & out).sum())
            keep[out] = False

        width, height = facts["width"], facts["height"]
        leave_out("unreadable", (width < 1) | (height < 1))
        leave_out(f"side < {self.min_side}", np.minimum(width, height) < self.min_side)
        if self.max_aspect is not None:
            aspect = np.maximum(width, height) / np.maximum(1, np.minimum(width, height))
            leave_out(f"aspect > {self.max_aspect:g}", aspect > self.max_aspect)
        if self.min_contrast > 0:
            flat = facts["contrast"] < self.min_contrast
            leave_out(f"contrast < {self.min_contrast:g}", flat)
        bounded = {"caption_length": self.caption_length, **self.fields}
        for name, (low, high) in bounded.items():
            if (low, high) != (None, None):
                values = facts.get(name, np.full(len(keep), np.nan))
                inside = np.ones(len(keep), bool)
                inside &= values >= low if low is not None else ~np.isnan(values)
                inside &= values <= high if high is not None else ~np.isnan(values)
                leave_out(f"{name} outside [{_said(low)}, {_said(high)}]", ~inside)
        if self.distinct_captions:
            again = np.zeros(len(keep), bool)
            again[keep] = ~captions.first(facts["caption_hash"][keep])
            leave_out("caption seen before", again)
        return keep, counts


def _bounds(name: str, bounds: Any) -> tuple[float | None, float | None]:
    pair = list(bounds) if isinstance(bounds, (list, tuple)) else [bounds]
    if len(pair) != 2 or not all(map(_is_bound, pair)) or (None not in pair and pair[0] > pair[1]):
        raise ValueError(f"The bounds {name}={bounds} are no [lowest, highest]; null: no bound.")
    return pair[0], pair[1]


def _is_bound(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and value == value)


def _said(bound: float | None) -> str:
    return "" if bound is None else f"{bound:g}"
