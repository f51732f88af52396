"""What was measured of the stages of a cascade, or of one set of images, and its files.

scores.json        rows of scores, each with its `stage`; `protocols`: what each hash means
image_values.npz   the scores image by image, with prompts and seeds, so that two systems can
                   be compared in pairs (imagen_lit/compare.py)
"""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation.protocol import digest
from imagen_lit.evaluation.score import Score

SCORES, VALUES = "scores.json", "image_values.npz"
PROMPTS, SEEDS = "prompts", "seeds"  # of the images, in VALUES
PAIRS = "#pairs"  # after the key of a distance's values: those of its pairs of prompts
NOW = "now"  # beside what is in SCORES, where it is returned: the rows of this start
UNKNOWN = -1  # the seed of an image that does not say it


class Measured(NamedTuple):
    """`values` has those of each image, by `<stage>@<hash>`, where a score is their mean; of a
    distance also what its difference from another's needs (evaluation/distance_interval.py)."""

    rows: list[dict[str, Any]]
    protocols: dict[str, Any]
    values: dict[str, np.ndarray]


def of(scores: Sequence[tuple[str, Score]]) -> Measured:
    """Of (stage, score)."""
    rows = [{"stage": stage} | score.row() for stage, score in scores]
    protocols = {digest(score.protocol): dict(score.protocol) for _, score in scores}
    values = {key(row): s.values for row, (_, s) in zip(rows, scores, strict=True)}
    values |= {key(row) + PAIRS: s.pairs for row, (_, s) in zip(rows, scores, strict=True)}
    return Measured(rows, protocols, {k: v for k, v in values.items() if v is not None})


def together(*parts: Measured) -> Measured:
    """All of them in one."""
    whole = Measured([], {}, {})
    for part in parts:
        whole = Measured(*(_joined(*pair) for pair in zip(whole, part, strict=True)))
    return whole


def key(row: Mapping[str, Any]) -> str:
    """What names a row among all others, and its values."""
    return f"{row['stage']}@{row['protocol']}"


def merge(earlier: Mapping[str, Any], measured: Measured) -> dict[str, Any]:
    """What scores.json holds: with the scores that other metrics gave earlier for the same images;
    of each the newer one counts."""
    former = {key(row): row for row in earlier.get("scores", [])}
    rows = list((former | {key(row): row for row in measured.rows}).values())
    known = {**earlier.get("protocols", {}), **measured.protocols}
    hashes = {row["protocol"] for row in rows}
    return {"scores": rows, "protocols": {h: p for h, p in known.items() if h in hashes}}


def write_values(
    folder: Path,
    measured: Measured,
    prompts: Sequence[str] | None,
    seeds: Sequence[int] | None,
    has_earlier: bool,
) -> None:
    """Write the values of each image; those of other metrics stay, if they are of these images."""
    values = {**(_values(folder / VALUES) if has_earlier else {}), **measured.values}
    if not values:
        return
    count = next(len(each) for name, each in values.items() if not name.endswith(PAIRS))
    arrays = {PROMPTS: np.array(list(prompts or [""] * count)), SEEDS: np.full(count, UNKNOWN)}
    if seeds is not None:
        arrays[SEEDS] = np.array(list(seeds))
    with atomic_write(folder / VALUES) as file:
        np.savez_compressed(file, **(values | arrays))  # type: ignore[arg-type]


def read_values(folder: Path) -> dict[str, np.ndarray]:
    """Prompts, seeds and values; {} where there are none."""
    return _values(folder / VALUES)


def _joined(first: Any, second: Any) -> Any:
    return first + second if isinstance(first, list) else first | second


def _values(file: Path) -> dict[str, np.ndarray]:
    if not file.exists():
        return {}
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{file} is damaged. Remove it, and evaluate again.") from error
