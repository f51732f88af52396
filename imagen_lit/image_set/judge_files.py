"""The contract with a judge that runs elsewhere, in an environment of its own: files alone.

We write `prompts.jsonl`, an image per row; the judge's program writes `<its name>/scores.jsonl`
and `<its name>/judge.json` beside it; we read them back, or say what is wrong. docs/judges.md tells
it to who writes such a program.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imagen_lit.basics import json_file
from imagen_lit.basics.atomic import write_text
from imagen_lit.basics.errors import InputError
from imagen_lit.data.source import json_lines
from imagen_lit.image_set.folder import Folder

REQUEST, SCORES, JUDGE = "prompts.jsonl", "scores.jsonl", "judge.json"
FACTS = ("name", "version", "weights")  # that judge.json must have, as texts
LARGEST = 1e300  # of a score; nan is no less
AGAIN = "Let the judge run again on the whole of prompts.jsonl."


class JudgeRow(NamedTuple):
    """An image that is put before a judge, with what is known of it."""

    file: Path
    prompt: str
    seed: int | None = None
    category: str | None = None
    question: str | None = None  # what to ask, where the judge answers questions
    metadata: Mapping[str, Any] | None = None  # all else that the prompt's file says of it


class JudgeScores(NamedTuple):
    """A score for each row of the request, in its order, and the facts of the judge, which belong
    into the protocol."""

    values: np.ndarray  # float64 [rows]
    facts: Mapping[str, Any]


def of_folder(images: Folder) -> list[JudgeRow]:
    """The rows for a folder of images that says what they show."""
    if images.prompts is None:
        raise InputError(
            f"{images.root} does not say what its images show, which a judge must know. Add a "
            "prompts.jsonl, or set prompts=... to a text file."
        )
    seeds: Sequence[int | None] = images.seeds or [None] * len(images)
    categories: Sequence[str | None] = images.categories or [None] * len(images)
    rows = zip(images.files, images.prompts, seeds, categories, strict=True)
    return [
        JudgeRow(images.root / file, prompt, seed, category)
        for file, prompt, seed, category in rows
    ]


def write_request(folder: Path, rows: Sequence[JudgeRow]) -> Path:
    """Write `prompts.jsonl` into the folder. An id has the number of the row and a hash of what is
    judged, so scores of other images are not taken for these."""
    lines = []
    for number, row in enumerate(rows):
        content = [hashlib.sha256(row.file.read_bytes()).hexdigest(), row.prompt, row.question]
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
        entry = {"id": f"{number:06d}-{digest}", **row._asdict()}
        entry["file"] = Path(os.path.relpath(row.file, folder)).as_posix()
        lines.append(json.dumps(entry, default=str))
    file = folder / REQUEST
    write_text(file, "".join(f"{line}\n" for line in lines))
    return file


def read_scores(folder: Path, name: str) -> JudgeScores:
    """What the judge of this name wrote, if it is a finite score for every row and nothing else."""
    request, scores, judge = folder / REQUEST, folder / name / SCORES, folder / name / JUDGE
    for file in (request, scores, judge):
        if not file.is_file():
            raise FileNotFoundError(
                f"there is no {file}. Let the judge write it, as docs/judges.md says."
            )
    facts = json_file.read(judge, AGAIN)
    for key in FACTS:
        if not isinstance(facts.get(key), str) or not facts[key].strip():
            raise InputError(
                f"{judge} lacks {key!r} as a text, without which nobody can compare its scores. "
                'Add it; "none" for the weights of a judge without any.'
            )
    ids = [str((row or {}).get("id")) for row in json_lines.read(request)]
    values = _values(scores, set(ids))
    if missing := [each for each in ids if each not in values]:
        raise InputError(
            f"{scores} lacks {len(missing):,} of {len(ids):,} scores, the first of {missing[0]}. "
            f"{AGAIN}"
        )
    return JudgeScores(np.array([values[each] for each in ids]), facts)


def _values(file: Path, ids: set[str]) -> dict[str, float]:
    """The scores by id."""
    values: dict[str, float] = {}
    for number, row in enumerate(json_lines.read(file), 1):
        own: Any = (row or {}).get("id")
        score: Any = (row or {}).get("score")
        if not isinstance(own, str) or type(score) not in (int, float):
            raise InputError(
                f"row {number:,} of {file} is no object with an id and a number as its score. "
                f"{AGAIN}"
            )
        if not abs(score) < LARGEST:
            raise InputError(f"{file} has {score} as the score of {own}. {AGAIN}")
        if own in values:
            raise InputError(f"{file} has two scores of {own}. {AGAIN}")
        if own not in ids:
            raise InputError(
                f"{file} has a score of {own}, which is not in {REQUEST}: it was made for other "
                f"images or prompts. {AGAIN}"
            )
        values[own] = float(score)
    return values
