"""Every row of a CSV file is read, or the file is refused."""

from pathlib import Path

import pytest

from imagen_lit.data.source import csv_file
from imagen_lit.data.source.table import Table

LONG = "x" * 200_000


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('image,caption\n0.png,"a\n1.png,b\n2.png,c\n', 2),
        ('image,caption\n0.png,"a\nb"\n1.png,"b\n2.png,c', 4),
        ('image,caption\n"0\n.png","b\n2.png,c\r\n', 3),
        ('image,caption\n0.png,a\n1.png,"', 3),
        ('image,"caption\n0.png,a\n', 1),
        (f'image,caption\n0.png,"a\n1.png,{LONG}\n2.png,c\n', 2),
    ],
)
def test_an_unclosed_quote_is_refused_with_its_line(table: Path, text: str, line: int) -> None:
    table.write_bytes(text.encode())
    with pytest.raises(ValueError, match=rf"t\.csv has a quote in line {line} .* Correct it"):
        Table(str(table))


def test_a_column_of_the_same_name_is_refused(table: Path) -> None:
    table.write_text("image,caption,caption\n0.png,a,b\n")
    with pytest.raises(ValueError, match=r"more than one column .caption. .* Rename all but one"):
        Table(str(table))


def test_closed_quotes_and_unnamed_columns_are_read(table: Path) -> None:
    table.write_text('image,caption,,\n\n0.png,"a\n""b"""\n1.png,6" wide,x,y,z\n2.png\n')
    columns, rows = csv_file.read(table)
    assert columns == ["image", "caption", "", ""] and [row["caption"] for row in rows if row] == [
        'a\n"b"', '6" wide', None,
    ]  # fmt: skip


def test_a_caption_that_is_too_long_is_a_row_all_the_same(table: Path) -> None:
    table.write_text(f"image,caption\n0.png,{LONG}\n")
    assert len(Table(str(table))) == 1
