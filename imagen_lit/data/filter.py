"""Which samples to use: bounds on their statistics, applied before any image is read.

A sample is left out for the first reason that applies, in the order written here, so the counts of
the reasons and of what remains add up to the total. A number that is missing from a sample's .json
is outside all bounds; one that no sample has is an error.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError
from imagen_lit.data.hash_set import HashSet
from imagen_lit.data.shard_files.statistics import OWN, Statistics

Bounds = Sequence[float | None]  # lowest, highest; None: no bound

NAMED = 20  # fields, in an error


class Filter:
    """`fields` puts bounds on numbers of the .json by name: {aesthetic: [5, null]}."""

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
            value = vars(self)[name]
            if value is not None or name != "max_aspect":
                arguments.number(f"filter.{name}", value, 0)
        self.caption_length = _bounds("caption_length", caption_length)
        if not isinstance(fields, Mapping | None):
            raise InputError(
                f"fields={fields!r} has no names. Set fields={{aesthetic: [5, null]}}."
            )
        if measured := [name for name in fields or {} if name in OWN]:
            raise InputError(
                f"fields={{{measured[0]}: …}} is measured, not read from a .json. Set min_side, "
                "max_aspect, min_contrast, caption_length or distinct_captions instead."
            )
        self.fields = {name: _bounds(name, bounds) for name, bounds in (fields or {}).items()}
        if not isinstance(distinct_captions, bool):
            raise InputError(
                f"distinct_captions={distinct_captions!r} is neither true nor false. "
                "Set distinct_captions=true, for example."
            )
        self.distinct_captions = distinct_captions

    @property
    def is_active(self) -> bool:
        """Whether anything can be left out."""
        return vars(self) != vars(Filter())

    def identity(self) -> dict[str, Any]:
        """All settings: two filters with the same identity select the same samples."""
        return dict(vars(self))

    def require_fields(self, columns: Iterable[str]) -> None:
        """Refuse bounds on a number that no sample has; `columns` are those of all samples."""
        names = sorted({*columns} - {*OWN})
        for name in self.fields:
            if name not in names:
                listing = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
                raise InputError(
                    f"no sample's .json has a number named {name!r}{did_you_mean(name, names)}. "
                    f"Its numbers are: {listing or 'none'}. Name one of them in filter.fields, or "
                    "leave it out."
                )

    def keep(self, columns: Statistics, captions: HashSet) -> tuple[np.ndarray, dict[str, int]]:
        """Which rows of a shard remain, and how many were left out for each reason.

        `captions` holds the hashes of the captions that remained so far; this shard's are added.
        """
        keep = np.ones(len(columns["width"]), bool)
        counts: dict[str, int] = {}

        def leave_out(reason: str, mask: np.ndarray) -> None:
            counts[reason] = int((keep & mask).sum())
            keep[mask] = False

        width, height = columns["width"], columns["height"]
        leave_out("unreadable", (width < 1) | (height < 1))
        leave_out(f"side < {self.min_side}", np.minimum(width, height) < self.min_side)
        if self.max_aspect is not None:
            aspect = np.maximum(width, height) / np.maximum(1, np.minimum(width, height))
            leave_out(f"aspect > {self.max_aspect:g}", aspect > self.max_aspect)
        if self.min_contrast > 0:
            is_flat = columns["contrast"] < self.min_contrast
            leave_out(f"contrast < {self.min_contrast:g}", is_flat)
        for name, (low, high) in {"caption_length": self.caption_length, **self.fields}.items():
            if (low, high) != (None, None):
                values = columns.get(name, np.full(len(keep), np.nan))
                if name in self.fields:
                    leave_out(f"without {name}", np.isnan(values))
                inside = values >= low if low is not None else ~np.isnan(values)
                inside &= values <= high if high is not None else ~np.isnan(values)
                leave_out(f"{name} outside [{_text(low)}, {_text(high)}]", ~inside)
        if self.distinct_captions:
            is_repeat = np.zeros(len(keep), bool)
            is_repeat[keep] = ~captions.add_new(columns["caption_hash"][keep])
            leave_out("caption seen before", is_repeat)
        return keep, counts


def _bounds(name: str, bounds: Any) -> tuple[float | None, float | None]:
    pair = list(bounds) if isinstance(bounds, (list, tuple)) else [bounds]
    if len(pair) != 2 or not all(map(_is_bound, pair)) or (None not in pair and pair[0] > pair[1]):
        raise InputError(
            f"{name}={bounds} is not [lowest, highest]. Set {name}=[5, 9], or null for no bound: "
            "[5, null]."
        )
    return pair[0], pair[1]


def _is_bound(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and value == value)


def _text(bound: float | None) -> str:
    return "" if bound is None else f"{bound:g}"
