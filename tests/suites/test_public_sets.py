"""The suites against the whole texts of public prompt sets, for whoever has their files:

PUBLIC_PROMPTS=drawbench.csv:PartiPrompts.tsv python -m pytest tests/suites/test_public_sets.py
"""

import csv
import json
import os
from pathlib import Path

import pytest

from imagen_lit.suites.near_duplicate import TOO_NEAR, Neighbours
from imagen_lit.suites.suite import read

FILES = [Path(name) for name in os.environ.get("PUBLIC_PROMPTS", "").split(os.pathsep) if name]


def prompts(file: Path) -> list[str]:
    """The prompts of a table with a column of that name, of JSON lines, of COCO's captions, or the
    lines of a text."""
    text = file.read_text(encoding="utf-8-sig")
    if file.suffix in (".csv", ".tsv"):
        rows = csv.DictReader(text.splitlines(), delimiter="," if file.suffix == ".csv" else "\t")
        (column,) = [
            name for name in rows.fieldnames or [] if name.lower() in ("prompt", "prompts")
        ]
        texts = [row[column] or "" for row in rows]
    elif file.suffix == ".jsonl":
        texts = [json.loads(line)["prompt"] for line in text.splitlines() if line.strip()]
    elif file.suffix == ".json":
        texts = [note["caption"] for note in json.loads(text)["annotations"]]
    else:
        texts = text.splitlines()
    return [prompt.strip() for prompt in texts if prompt.strip()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_frozen_prompt_is_near_to_one_of_a_file(file: Path) -> None:
    public = Neighbours(prompts(file))
    assert public.texts, f"{file} holds no prompts"
    near = [
        f"{prompt.id} {share:.2f} {prompt.prompt!r}: {other!r}"
        for prompt in read("L")
        for share, other in (public.nearest(prompt.prompt), public.nearest(prompt.meant))
        if share >= TOO_NEAR
    ]
    assert near == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "Prompt,Category\n{0},Text\n,\n"),
        ("a.tsv", "Prompt\tChallenge\n{0}\tBasic\n"),
        ("a.jsonl", '{{"prompt": "{0}", "tag": "x"}}\n'),
        ("a.json", '{{"annotations": [{{"id": 1, "caption": "{0}"}}]}}'),
        ("a.txt", "{0}\n\n"),
    ],
)
def test_each_kind_of_file_is_read_and_a_copy_in_it_found(
    tmp_path: Path, name: str, text: str
) -> None:
    copy = read("S")[1].prompt.rstrip(".").lower()
    (tmp_path / name).write_text(text.format(copy))
    assert prompts(tmp_path / name) == [copy]
    with pytest.raises(AssertionError, match=read("S")[1].id):
        test_no_frozen_prompt_is_near_to_one_of_a_file(tmp_path / name)
