"""Prompts in tables: what the public lists look like is read as it is meant, and a broken file is
refused in a sentence. The lists themselves are not here; these rows have their form."""

import json
from pathlib import Path
from typing import Any

import pytest

from imagen_lit.data.prompts.drawbench import CATEGORIES, DrawBench
from imagen_lit.data.prompts.file import TextFile
from imagen_lit.data.prompts.source import (
    CategorisedPrompts,
    DescribedPrompts,
    IdentifiedPrompts,
    JudgedPrompts,
)
from imagen_lit.data.prompts.table import PromptTable

ROWS = [
    ("a cat, asleep", "Animals", 7),
    ('the word "GO" ', "Text", 8),
    ("a cat, asleep", "Text", 9),
]
PROMPTS = [prompt.strip() for prompt, _, _ in ROWS]


def write_table(file: Path) -> Path:
    if file.suffix == ".jsonl":
        keys = ("prompt", "kind", "number")
        rows = [json.dumps(dict(zip(keys, row, strict=True))) for row in ROWS]
        file.write_text("\n".join(rows) + "\n\n")
    elif file.suffix == ".csv":
        cells = [f'"{p}",{k},{n}'.replace('"GO"', '""GO""') for p, k, n in ROWS]
        file.write_text("prompt,kind,number\n" + "\n".join(cells) + "\n,,\n")
    elif file.suffix == ".tsv":
        lines = ["\t".join(map(str, row)) for row in ROWS]
        file.write_bytes(b"\xef\xbb\xbfprompt\tkind\tnumber\r\n" + "\r\n".join(lines).encode())
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        columns = dict(zip(("prompt", "kind", "number"), zip(*ROWS, strict=True), strict=True))
        parquet.write_table(pyarrow.table(columns | {"image": [b"x"] * 3}), file)
    return file


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_kind_of_table_gives_the_same_prompts(tmp_path: Path, suffix: str) -> None:
    file = write_table(tmp_path / f"prompts{suffix}")
    prompts = PromptTable(str(file), category="kind", id="number", seed=3)
    assert prompts.prompts == PROMPTS and prompts.seeds == [3, 4, 5]
    assert prompts.categories == ["Animals", "Text", "Text"]
    assert prompts.ids == ["7", "8", "9"]
    assert [row["kind"] for row in prompts.metadata] == prompts.categories
    assert PromptTable(str(file), count=1).prompts == PROMPTS[:1]


def test_a_source_has_categories_and_ids_only_where_its_file_does(tmp_path: Path) -> None:
    file = str(write_table(tmp_path / "prompts.csv"))
    plain, full = PromptTable(file), PromptTable(file, category="kind", id="number")
    for protocol in (CategorisedPrompts, IdentifiedPrompts):
        assert isinstance(full, protocol) and not isinstance(plain, protocol)
    assert isinstance(plain, DescribedPrompts) and not isinstance(plain, JudgedPrompts)


def test_more_seeds_or_more_prompts_change_no_image(tmp_path: Path) -> None:
    file = str(write_table(tmp_path / "prompts.csv"))
    images = {
        (count, draws): set(zip(p.prompts, p.seeds, strict=True))
        for count in (1, 2, 3)
        for draws in (1, 3)
        if (p := PromptTable(file, count=count, seed=5, seeds_per_prompt=draws))
    }
    for (count, draws), drawn in images.items():
        assert len(drawn) == count * draws, "the same prompt twice is two images"
        assert drawn <= images[3, draws] and drawn <= images[count, 3]


def test_the_images_of_a_prompt_follow_each_other_with_its_category(tmp_path: Path) -> None:
    file = str(write_table(tmp_path / "prompts.csv"))
    prompts = PromptTable(file, category="kind", count=2, seeds_per_prompt=2)
    assert prompts.prompts == [PROMPTS[0]] * 2 + [PROMPTS[1]] * 2
    assert prompts.categories == ["Animals", "Animals", "Text", "Text"]
    assert [row["number"] for row in prompts.metadata] == ["7", "7", "8", "8"]


def test_a_quote_in_a_tsv_is_a_letter(tmp_path: Path) -> None:
    """One of PartiPrompts begins with a quoted word; a CSV reader would lose its quotes."""
    file = tmp_path / "PartiPrompts.tsv"
    file.write_text('Prompt\tCategory\tChallenge\tNote\n"H A" on a wall. \tArts\tBasic\t\n')
    prompts = PromptTable(str(file), "Prompt", "Category")
    assert prompts.prompts == ['"H A" on a wall.']
    assert prompts.metadata[0]["Challenge"] == "Basic"


def test_what_genevals_detector_needs_goes_along(tmp_path: Path) -> None:
    file = tmp_path / "evaluation_metadata.jsonl"
    include = [{"class": "bench", "count": 2}]
    row = {"tag": "counting", "include": include, "prompt": "a photo of two benches"}
    file.write_text(json.dumps(row) + "\n")
    prompts = PromptTable(str(file), category="tag", seeds_per_prompt=4)
    assert prompts.metadata[3]["include"] == include and prompts.categories == ["counting"] * 4


def sheet(column: str = "Prompts", lacking: str | None = None) -> str:
    rows = [
        f'"{kind}, number {number} ",{kind}{" " * (kind == "Gary Marcus et al.")}'
        for kind, size in CATEGORIES.items()
        for number in range(size)
        if kind != lacking
    ]
    return "\n".join([f"{column},Category", *rows, ","])


@pytest.mark.parametrize("column", ["Prompts", "Prompt"])
def test_drawbench_has_200_prompts_in_11_categories(tmp_path: Path, column: str) -> None:
    file = tmp_path / "drawbench.csv"
    file.write_text(sheet(column))
    prompts = DrawBench(str(file), seeds_per_prompt=8)
    assert isinstance(prompts, CategorisedPrompts)
    assert len(prompts.prompts) == 8 * 200 and len(set(prompts.categories)) == 11
    assert prompts.categories.count("Gary Marcus et al.") == 8 * 10
    assert prompts.prompts[0] == "Colors, number 0", "neither of the blanks at its ends remains"
    assert len(DrawBench(str(file), count=5).prompts) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (sheet(lacking="Reddit"), r"has 162 prompts of 200, and of 'Reddit' 0 instead of 38\. "),
        (sheet() + "\na,Colours", r"has 201 prompts of 200, and of 'Colours' 1 instead of 0"),
        ("prompt,category\na,b\n", r"has no column 'Prompts', it has prompt, category"),
    ],
)
def test_a_sheet_that_is_not_all_of_drawbench_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "drawbench.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        DrawBench(str(file))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.csv", None, r"there is no file .*p\.csv\. Set prompts\.path="),
        ("p.xlsx", b"x", r"is no \.csv, \.tsv, \.jsonl, \.parquet file\. Convert"),
        ("p.csv", b"", r"is empty: it holds no text"),
        ("p.csv", b"prompt\n", r"holds no prompts\. Write one per row"),
        ("p.csv", b"Prompt,Note\na,b\n", r"has no column 'prompt', it has Prompt, Note\. Set"),
        ("p.csv", b"prompt\tkind\na\tb\n", r"has no column 'prompt'.* a \.tsv tabs\."),
        ("p.csv", b'prompt,n\n"a,1\nb,2\n', r"has a quote in line 2 that is not closed"),
        ("p.csv", b"prompt,kind\na red car, a dog,x\n", r"row 1 .* more cells .* Correct it"),
        ("p.csv", b"prompt,kind\na,x\n ,y\n", r"the prompt of row 2 .* is empty.* Correct"),
        ("p.csv", "prompt\na cat\nça\n".encode("latin-1"), r"row 2 .* is not UTF-8\. Convert"),
        ("p.csv", "prompt\na cat\n".encode("utf-16"), r"is UTF-16, by the byte-order mark"),
        ("p.tsv", b'prompt\tk\n"""GO"" on a wall"\tx\n', r"row 1 .* quote twice .* as a \.csv"),
        ("p.jsonl", b'{"prompt": "a"}\n{"prompt": \n', r"row 2 .* is no JSON object"),
        ("p.jsonl", b'{"prompt": 3}\n', r"the prompt of row 1 .* is 3, where a text must be"),
        ("p.jsonl", b'{"prompt": "a\\ud800"}\n', r"row 1 .* is not UTF-8"),
        ("p.parquet", b"PAR1", r"cannot be read as Parquet .* Make or copy it again"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_in_a_sentence(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        PromptTable(str(tmp_path / name))


def test_a_row_without_its_category_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text("prompt,kind\na,x\nb,\n")
    with pytest.raises(ValueError, match=r"the category of row 2 .* is empty"):
        PromptTable(str(file), category="kind")
    assert PromptTable(str(file)).prompts == ["a", "b"]


@pytest.mark.parametrize("draws", [0, 1.5, True])
def test_seeds_per_prompt_is_a_whole_number_above_0(tmp_path: Path, draws: Any) -> None:
    file = tmp_path / "p.txt"
    file.write_text("a cat\n")
    with pytest.raises(ValueError, match=r"prompts\.seeds_per_prompt=.* whole number of 1"):
        TextFile(str(file), seeds_per_prompt=draws)
