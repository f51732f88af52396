"""The contract with judges: the example of docs/judges.md works as it is written, and what does not
belong to these images is refused."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagen_lit.image_set import judge_files
from imagen_lit.image_set.folder import Folder
from imagen_lit.image_set.judge_files import JudgeRow

DOCS = Path(__file__).resolve().parents[2] / "docs/judges.md"
PROGRAM, OURS = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
GREYS = (0, 51, 255)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "my_images"
    folder.mkdir()
    for grey in GREYS:
        Image.new("RGB", (8, 8), (grey, grey, grey)).save(folder / f"{grey}.png")
        (folder / f"{grey}.txt").write_text(f"grey {grey}")
    return folder


@pytest.fixture
def judge(images: Path, tmp_path: Path) -> Path:
    judge_files.write_request(tmp_path / "judge", judge_files.of_folder(Folder(str(images))))
    return tmp_path / "judge"


def ids(judge: Path) -> list[str]:
    return [json.loads(line)["id"] for line in (judge / "prompts.jsonl").read_text().splitlines()]


def answer(judge: Path, rows: list[Any], **facts: Any) -> None:
    (judge / "mine").mkdir(exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (judge / "mine/scores.jsonl").write_text("\n".join(lines))
    facts = {"name": "mine", "version": "2", "weights": "none"} | facts
    (judge / "mine/judge.json").write_text(json.dumps(facts))


def test_the_judge_of_the_document_works_as_it_is_written(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "brightness.py").write_text(PROGRAM)
    before, command, after = re.split(r"# python (.*)\n", OURS)
    names: dict[str, Any] = {}
    exec(before, names)
    subprocess.run([sys.executable, *command.split()], check=True)
    exec(after, names)
    assert np.allclose(names["scores"].values, np.array(GREYS) / 255)
    assert names["scores"].facts == {"name": "brightness", "version": "1", "weights": "none"}


def test_a_folder_that_does_not_say_what_it_shows_ends_it_in_one_sentence(
    images: Path, tmp_path: Path
) -> None:
    for file in images.glob("*.txt"):
        file.unlink()
    script = re.split(r"# python .*\n", OURS)[0]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert re.match("error: .*my_images does not say what its images show", done.stderr)


def test_the_document_shows_the_keys_that_we_write(judge: Path) -> None:
    shown = json.loads(re.search(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)[1])
    row = json.loads((judge / "prompts.jsonl").read_text().splitlines()[0])
    assert list(row) == list(shown) and re.fullmatch(r"\d{6}-[0-9a-f]{12}", shown["id"])
    assert row["file"] == "../my_images/0.png" and row["prompt"] == "grey 0"


def test_scores_in_any_order_are_read_in_that_of_the_request(judge: Path) -> None:
    rows = [{"id": own, "score": number, "note": "x"} for number, own in enumerate(ids(judge))]
    answer(judge, rows[::-1], template="Does it show {}?")
    scores = judge_files.read_scores(judge, "mine")
    assert scores.values.tolist() == [0, 1, 2] and scores.values.dtype == np.float64
    assert scores.facts["template"] == "Does it show {}?" and scores.facts["version"] == "2"


def test_an_id_stays_where_the_folder_is_moved(judge: Path, tmp_path: Path) -> None:
    before = (judge / "prompts.jsonl").read_text()
    for name in ("my_images", "judge"):
        shutil.move(tmp_path / name, tmp_path / "deep" / name)
    folder = Folder(str(tmp_path / "deep/my_images"))
    judge_files.write_request(tmp_path / "deep/judge", judge_files.of_folder(folder))
    assert (tmp_path / "deep/judge/prompts.jsonl").read_text() == before


@pytest.mark.parametrize("change", ["image", "prompt", "question"])
def test_scores_of_other_images_or_prompts_are_refused(
    judge: Path, images: Path, change: str
) -> None:
    answer(judge, [{"id": own, "score": 1} for own in ids(judge)])
    if change == "image":
        Image.new("RGB", (8, 8), (52, 51, 51)).save(images / "51.png")
    rows = judge_files.of_folder(Folder(str(images)))
    if change != "image":
        rows[1] = rows[1]._replace(**{change: "another"})
    judge_files.write_request(judge, rows)
    with pytest.raises(ValueError, match=r"000001-\w+, which is not in prompts\.jsonl.* Let the"):
        judge_files.read_scores(judge, "mine")


FULL = {"id": 0, "score": 0.5}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([FULL, {"id": 1, "score": 1}], r"lacks 1 of 3 scores, the first of 000002-"),
        ([FULL, FULL], r"has two scores of 000000-.* Let the judge run again"),
        ([{"id": "x", "score": 1}], r"a score of x, which is not in prompts\.jsonl"),
        ([{"id": 0, "score": float("nan")}], r"has nan as the score of 000000-"),
        ([{"id": 0, "score": float("-inf")}], r"has -inf as the score of 000000-"),
        ([{"id": 0, "score": 10**400}], r"as the score of 000000-"),
        ([{"id": 0, "score": "0.5"}], r"row 1 .* no object with an id and a number"),
        ([{"id": 0, "score": True}], r"row 1 .* no object with an id and a number"),
        ([{"id": 0}], r"row 1 .* no object with an id and a number"),
        ([FULL, "{"], r"row 2 .* no object with an id and a number"),
        ([], r"lacks 3 of 3 scores"),
    ],
)
def test_scores_that_are_not_whole_are_refused(judge: Path, rows: list[Any], message: str) -> None:
    own = ids(judge)
    known = [
        row | {"id": own[row["id"]]} if isinstance(row, dict) and row["id"] in (0, 1, 2) else row
        for row in rows
    ]
    answer(judge, known)
    with pytest.raises(ValueError, match=message):
        judge_files.read_scores(judge, "mine")


@pytest.mark.parametrize("key", ["name", "version", "weights"])
def test_a_judge_that_does_not_say_what_it_is_is_refused(judge: Path, key: str) -> None:
    answer(judge, [{"id": own, "score": 1} for own in ids(judge)], **{key: None})
    with pytest.raises(ValueError, match=rf"judge\.json lacks '{key}' as a text.* Add it"):
        judge_files.read_scores(judge, "mine")


def test_what_is_not_there_yet_is_named(judge: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no .*mine/scores\.jsonl\. Let the judge write"):
        judge_files.read_scores(judge, "mine")


def test_a_judge_is_not_asked_about_images_without_prompts(images: Path, tmp_path: Path) -> None:
    for text in images.glob("*.txt"):
        text.unlink()
    with pytest.raises(ValueError, match=r"does not say what its images show.* Add a prompts"):
        judge_files.of_folder(Folder(str(images)))


def test_a_row_carries_what_the_prompts_file_says(images: Path, tmp_path: Path) -> None:
    metadata = {"include": [{"class": "bench", "count": 2}]}
    row = JudgeRow(images / "0.png", "two benches", 4, "counting", "How many?", metadata)
    file = judge_files.write_request(tmp_path / "deep/er/judge", [row])
    entry = json.loads(file.read_text())
    assert (file.parent / entry["file"]).resolve() == (images / "0.png").resolve()
    assert (entry["seed"], entry["question"], entry["metadata"]) == (4, "How many?", metadata)
