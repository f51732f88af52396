"""The page of runs is a file beside images: it opens anywhere, and no folder can harm it."""

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import left_runs
import pytest

from imagen_lit.report import page, runs_page
from imagen_lit.run import run_search

NAUGHTY = [
    "<script>alert(1)<!--",
    'a "quoted" #1',
    "100% & more",
    "it's; äß 漢",
    "x\x1b[2J\ny",
]
VOID = {"meta", "img", "path", "polyline", "polygon", "circle", "wbr"}


class Parsed(HTMLParser):
    """The tags of a page, its texts and its ids; every tag must be closed in order."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(file.read_text())
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def links(self) -> Iterator[str]:
        for _, attributes in self.tags:
            yield from (attributes[name] or "" for name in ("src", "href") if name in attributes)

    @property
    def ids(self) -> set[str | None]:
        return {attributes["id"] for _, attributes in self.tags if "id" in attributes}


def write(root: Path, file: Path | None = None) -> Parsed:
    file = file or root / "index.html"
    runs_page.write(file, run_search.search(root), root, now=2e9)
    return Parsed(file)


def check_laws(parsed: Parsed, folder: Path) -> None:
    """No script, nothing from elsewhere, and every link leads somewhere."""
    names = {tag for tag, _ in parsed.tags}
    assert not names & {"script", "iframe", "object", "embed", "link", "base", "form"}
    assert not [key for _, each in parsed.tags for key in each if key.startswith("on")]
    links = list(parsed.links())
    assert links
    for link in links:
        if link.startswith("#"):
            assert link[1:] in parsed.ids
        else:
            assert not re.match(r"[a-zA-Z][\w+.-]*:|/", link), f"{link} leads elsewhere"
            assert (folder / unquote(link)).is_file()
    style = page.STYLE
    assert "url(" not in style and "@import" not in style


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Runs of every kind, with names that hold what HTML and addresses are made of."""
    root = tmp_path / "runs"
    left_runs.leave(root, "demo/base", sheets=4)
    left_runs.leave(root, "demo/sr", {"state": "failed", "error": "<b>no</b> & \ud800 \x1b[0m"})
    left_runs.leave_evaluation(root, "demo/evaluation", {"base": "runs/demo/base"})
    for number, name in enumerate(NAUGHTY):
        lr = {"lr": 0.001 * number}
        config = left_runs.settings(f"sweep/{name}", optimizer=lr, notes=f"<i>{name}</i>")
        left_runs.leave(root, f"sweep/{name}", sheets=1, config=config)
        sheet = root / f"sweep/{name}/samples/{name}/sheet.png"
        sheet.parent.mkdir(parents=True)
        shutil.copy(root / "demo/base/preview_000000001.png", sheet)
    (root / "demo/index.html").write_text("the demo's own page")
    return root


def test_a_page_holds_its_laws_whatever_runs_are_called(root: Path) -> None:
    parsed = write(root)
    check_laws(parsed, root)
    assert "demo/index.html" in parsed.links()
    sources = [unquote(link) for link in parsed.links() if link.endswith(".png")]
    most = "three of four sheets, that of the evaluation, and one sheet of samples"
    assert len(sources) == 3 + 1 + 2 * len(NAUGHTY), most
    assert all(attributes["loading"] == "lazy" for tag, attributes in parsed.tags if tag == "img")


def test_every_run_has_a_row_and_a_section(root: Path) -> None:
    parsed = write(root)
    listing = run_search.search(root)
    sections = [each["id"] for tag, each in parsed.tags if tag == "section"]
    assert len(sections) == len(listing.runs) == 2 + len(NAUGHTY)
    links = list(parsed.links())
    assert all(f"#{place}" in links for place in sections)
    for run in listing.runs:
        assert any(run.name in text for text in parsed.texts)


def test_a_page_that_lies_elsewhere_or_was_moved_shows_the_same(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "a #b" / "page.html"
    check_laws(write(root, file), file.parent)
    write(root)
    moved = shutil.copytree(root, tmp_path / "far" / "away")
    check_laws(Parsed(moved / "index.html"), moved)


def test_a_run_shows_its_curves_scores_health_and_settings(root: Path) -> None:
    write(root)
    text = (root / "index.html").read_text()
    section = next(s for s in text.split("<section")[1:] if "demo/base" in s[:200])
    assert section.count('class="chart"') == 2
    for shown in (
        "validation",
        "health/<wbr>text_<wbr>gap",
        "0.50 (0.30–0.70)",
        "previews after 640 images",
    ):
        assert shown in section
    assert "evaluation demo/evaluation, as base after 640 images: 0.875" in section
    swept = next(s for s in text.split("<section")[1:] if "100% &amp; more" in s[:200])
    assert "<td>optimizer.<wbr>lr</td>" in swept and "stage.optimizer.lr" not in swept


def test_damage_costs_a_note_and_nothing_else(root: Path) -> None:
    whole = write(root)
    damaged = root / "demo/base"
    (damaged / "config.yaml").write_text("stage: [")
    (damaged / "metrics.jsonl").write_bytes(b"\xff\xfe\n{}\n{}")
    (damaged / "status.json").write_text("[]")
    (root / "demo/evaluation/scores.json").write_text("{")
    (root / "foreign").mkdir()
    (root / "foreign/config.yaml").write_text("model_type: t5")
    parsed = write(root)
    check_laws(parsed, root)
    count = [tag for tag, _ in parsed.tags].count("section")
    assert count == [tag for tag, _ in whole.tags].count("section") + 1
    text = " ".join(parsed.texts)
    for note in (
        "config.yaml cannot be read",
        "metrics.jsonl has damaged rows",
        "status.json cannot be read",
        "demo/evaluation: scores.json cannot be read",
        "config.yaml is not that of a run",
    ):
        assert note in text


def test_a_run_without_losses_says_when_they_come(tmp_path: Path) -> None:
    folder = left_runs.leave(tmp_path / "runs", "young")
    (folder / "metrics.jsonl").write_text("")
    text = " ".join(write(tmp_path / "runs").texts)
    assert "young has no loss to show after 0 images: one is written every 320 images" in text
    (folder / "metrics.jsonl").write_text(json.dumps({"images": 64, "train/loss": float("nan")}))
    assert "* the loss of the training" in " ".join(write(tmp_path / "runs").texts)
    assert "The loss of young is not a number" in " ".join(write(tmp_path / "runs").texts)


@pytest.mark.parametrize("is_scored", [True, False])
def test_an_evaluation_shows_its_images_and_scores_where_it_has_any(
    tmp_path: Path, is_scored: bool
) -> None:
    left_runs.leave(tmp_path, "mine")
    left_runs.leave_evaluation(tmp_path, "captions", {"base": "runs/mine"}, is_scored)
    parsed = write(tmp_path)
    assert "captions/sheet.png" in parsed.links()
    texts = " ".join(parsed.texts)
    assert ("0.875" in texts) == is_scored
    assert ("evaluation captions, as base after 640 images: 8 prompts, not scored" in texts) != (
        is_scored
    )
    opened = [dict(each) for tag, each in parsed.tags if tag == "details"]
    assert any("open" in each for each in opened) != is_scored
