"""A report as a list of blocks, so that its page and its Markdown say the same.

Each block knows both of its forms. Pictures and tables lie beside the page as files (`files`), and
both forms lead to them by relative addresses.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Protocol

from matplotlib.figure import Figure

from imagen_lit.basics.atomic import write_text
from imagen_lit.basics.printable import printable
from imagen_lit.report import figure, page, score_grid

Cells = Sequence[str]
NAME = 28  # letters, at most, of a cell that does not break within words


class Block(Protocol):
    """A part of a report."""

    def html(self) -> str:
        """For the page."""

    def markdown(self) -> str:
        """For the Markdown; empty where it has no form there."""

    def write(self, folder: Path) -> None:
        """Put its files into the folder of the report."""


@dataclass(frozen=True)
class Words:
    """Paragraphs; `mood` is a class of the page's style: "", soft, right or wrong."""

    sentences: Sequence[str]
    mood: str = ""

    def html(self) -> str:
        """A paragraph for each."""
        mood = f' class="{self.mood}"' if self.mood else ""
        return "".join(f"<p{mood}>{escape(each)}</p>" for each in self.sentences)

    def markdown(self) -> str:
        """A paragraph for each."""
        return "\n\n".join(map(plain, self.sentences))

    def write(self, folder: Path) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Points(Words):
    """Sentences as a list."""

    def html(self) -> str:
        """A list."""
        mood = f' class="{self.mood}"' if self.mood else ""
        return f"<ul{mood}>{''.join(f'<li>{escape(each)}</li>' for each in self.sentences)}</ul>"

    def markdown(self) -> str:
        """A list."""
        return "\n".join(f"- {plain(each)}" for each in self.sentences)


@dataclass(frozen=True)
class Table:
    """Texts in rows; on a phone each row becomes a card. `name`: also as a CSV of this name."""

    heads: Cells
    rows: Sequence[Cells]
    name: str = ""

    def html(self) -> str:
        """Each cell carries its heading."""
        top = "".join(f"<th>{escape(each)}</th>" for each in self.heads)
        lines = "".join(f"<tr>{self._cells(row)}</tr>" for row in self.rows)
        return (
            f'<div class="wide"><table class="cards-on-phones"><tr class="head">{top}</tr>'
            f"{lines}</table></div>"
        )

    def _cells(self, row: Cells) -> str:
        return "".join(
            f'<td data-label="{escape(head)}"{_look(cell)}>{_breaking(cell)}</td>'
            for head, cell in zip(self.heads, row, strict=True)
        )

    def markdown(self) -> str:
        """A table of Markdown."""
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        marks = {1}
        return "\n".join(
            f"| {' | '.join(each if n in marks else plain(each) or '–' for each in row)} |"
            for n, row in enumerate(lines)
        )

    def write(self, folder: Path) -> None:
        """The CSV, if it has a name."""
        if self.name:
            Sheet(self.heads, self.rows, self.name).write(folder)


@dataclass(frozen=True)
class Sheet:
    """A table that lies beside the page as a CSV, and is not shown."""

    heads: Cells
    rows: Sequence[Sequence[Any]]
    name: str

    def html(self) -> str:
        """Empty."""
        return ""

    def markdown(self) -> str:
        """Empty."""
        return ""

    def write(self, folder: Path) -> None:
        """The CSV."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.heads, *self.rows])
        write_text(folder / f"{self.name}.csv", text.getvalue())


@dataclass(frozen=True)
class Drawing:
    """A figure of matplotlib: within the page, and as PNG and SVG of this name."""

    title: str
    name: str
    figure: Figure

    def html(self) -> str:
        """As a part of the page, in its colours."""
        return page.figure(self.title, figure.svg(self.figure))

    def markdown(self) -> str:
        """A picture."""
        return f"![{plain(self.title)}]({self.name}.png)"

    def write(self, folder: Path) -> None:
        """PNG and SVG."""
        for suffix in ("png", "svg"):
            figure.write(self.figure, folder / f"{self.name}.{suffix}")


@dataclass(frozen=True)
class Raw:
    """HTML, and Markdown that says the same; `put` writes the files that they show."""

    as_html: str
    as_markdown: str = ""
    put: Callable[[Path], None] = field(default=lambda folder: None)

    def html(self) -> str:
        """As it is."""
        return self.as_html

    def markdown(self) -> str:
        """As it is."""
        return self.as_markdown

    def write(self, folder: Path) -> None:
        """Its files."""
        self.put(folder)


@dataclass(frozen=True)
class Fold:
    """Blocks that a click opens; in Markdown they stand below a small heading."""

    title: str
    blocks: Sequence[Block]

    def html(self) -> str:
        """Closed."""
        inside = "".join(each.html() for each in self.blocks)
        return f"<details><summary>{escape(self.title)}</summary>{inside}</details>"

    def markdown(self) -> str:
        """With its heading."""
        return _joined([f"### {plain(self.title)}", *(each.markdown() for each in self.blocks)])

    def write(self, folder: Path) -> None:
        """Those of its blocks."""
        for each in self.blocks:
            each.write(folder)


@dataclass(frozen=True)
class Section:
    """Blocks below a heading."""

    title: str
    blocks: Sequence[Block]

    def html(self) -> str:
        """As the pages have it."""
        return page.section(self.title, "".join(each.html() for each in self.blocks))

    def markdown(self) -> str:
        """With its heading."""
        return _joined([f"## {plain(self.title)}", *(each.markdown() for each in self.blocks)])

    def write(self, folder: Path) -> None:
        """Those of its blocks."""
        for each in self.blocks:
            each.write(folder)


def write(
    folder: Path,
    kind: str,
    title: str,
    blocks: Sequence[Block],
    links: Sequence[tuple[str, str]] = (),
    markdown_name: str = "report.md",
) -> Path:
    """Page, Markdown and all files; `links`: (address, words) of other pages. Returns the page."""
    for block in blocks:
        block.write(folder)
    others = " · ".join(f"[{plain(words)}]({where})" for where, words in links)
    text = _joined([f"# {plain(title)}", others, *(each.markdown() for each in blocks)])
    write_text(folder / markdown_name, f"{text}\n")
    file = folder / "index.html"
    page.write(file, kind, title, _page(title, blocks, links))
    return file


def plain(text: str) -> str:
    """A text of unknown origin as words of Markdown."""
    return score_grid.MARKDOWN.sub(r"\\\1", printable(" ".join(text.split())))


def _page(title: str, blocks: Iterable[Block], links: Sequence[tuple[str, str]]) -> Iterator[str]:
    others = " · ".join(f'<a href="{where}">{escape(words)}</a>' for where, words in links)
    yield f"<h1>{escape(title)}</h1>" + (f"<p>{others}</p>" if others else "")
    yield from (block.html() for block in blocks)


def _look(cell: str) -> str:
    """A number with its interval stays on one line."""
    return ' class="number"' if cell.endswith("]") else ""


def _breaking(cell: str) -> str:
    """Long keys, paths and commands break behind their dots; names and numbers do not."""
    return page.breakable(cell) if len(cell) > NAME else escape(cell)


def _joined(parts: Iterable[Any]) -> str:
    return "\n\n".join(part for part in parts if part)
