"""docs/own_images.md, followed word by word: its commands, in its order, in a new folder."""

import io
import json
import re
import shlex
import tarfile
from pathlib import Path

import numpy as np
import pytest
from laptop import run
from PIL import Image

from imagen_lit.data.prompts.prompt_sheet import EDGE
from imagen_lit.run import metrics

PAGE = Path(__file__).resolve().parents[2] / "docs/own_images.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What is added to a command of the page, so that it takes seconds; all else is as on the page.
SHORTER = {
    "pretrain_text": ["documents=0"],
    "train": ["stage.images=48", "callbacks.preview.every=32", "callbacks.preview.recipe.steps=1",
              "network.channels=[16,16,32,32]", "network.blocks=[1,1,1,1]", "logger=files"],
    "sample": ["cascade.base.recipe.steps=2"],
    "evaluate": ["cascade.base.recipe.steps=2"],
}  # fmt: skip

THINGS = ("cat", "dog", "bird", "fish", "horse")
CAPTIONS = [f"a grey {THINGS[number % 5]} on a sofa, picture {number}" for number in range(30)]


def picture(number: int, kind: str) -> bytes:
    """A gradient with a disc: of another size and colour each time."""
    g = np.random.default_rng(number)
    width, height = (int(edge) for edge in g.integers(70, 130, 2))
    y, x = np.mgrid[:height, :width]
    image = np.stack([255 * x / width, 255 * y / height, np.full(x.shape, 128.0)], axis=-1)
    image[(x - width / 2) ** 2 + (y - height / 2) ** 2 < 600] = g.integers(0, 255, 3)
    file = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(file, kind)
    return file.getvalue()


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page starts from, and then all that its commands make."""
    home = tmp_path_factory.mktemp("own_images")
    (home / "pets").mkdir()
    (home / "laion").mkdir()
    (home / "prompts.txt").write_text("a grey cat\na brown dog\n", encoding="utf-8")
    with tarfile.open(home / "laion/00000.tar", "w") as tar:  # as img2dataset leaves it
        for number, caption in enumerate(CAPTIONS):
            suffix, kind = (("jpg", "JPEG"), ("png", "PNG"))[number % 2]
            file = home / f"pets/{number:03d}"
            file.with_suffix(f".{suffix}").write_bytes(picture(number, kind))
            file.with_suffix(".txt").write_text(caption, encoding="utf-8")
            known = {"caption": caption, "original_width": 600, "original_height": 400}
            add(tar, f"{number:07d}.jpg", picture(number, "JPEG"))
            add(tar, f"{number:07d}.txt", caption.encode())
            add(tar, f"{number:07d}.json", json.dumps(known).encode())
    (home / "laion/00000_stats.json").write_text(json.dumps({"successes": len(CAPTIONS)}))
    for command, words in commands():
        run(command, *words, *SHORTER.get(command, []), folder=home)
    return home


def commands() -> list[tuple[str, list[str]]]:
    fences = FENCE.findall(PAGE.read_text(encoding="utf-8"))
    lines = "".join(text for kind, text in fences if not kind).replace("\\\n", " ")
    words = [shlex.split(line) for line in lines.splitlines() if line.strip()]
    assert all(line[:2] == ["python", "-m"] for line in words), "a fence holds only our commands"
    return [(line[2].removeprefix("imagen_lit."), line[3:]) for line in words]


def test_the_page_leads_through_every_step() -> None:
    names = [name for name, _ in commands()]
    for step in ("build_shards", "embed_text", "train", "sample", "evaluate"):
        assert names.count(step) >= 2, f"{step}: for a folder, and for img2dataset's shards"


@pytest.mark.parametrize("name", ["pets", "laion"])
def test_previews_show_held_back_captions_and_score_nothing(home: Path, name: str) -> None:
    rows = metrics.read(home / "runs" / name)
    (preview,) = [row["preview"] for row in rows if "preview" in row]
    assert not any(key.startswith("score/") for row in rows for key in row)
    assert any("val/loss" in row for row in rows) or len(rows) > 1
    width, height = Image.open(home / "runs" / name / preview).size
    assert width >= 4 * EDGE and height > 2 * EDGE, "at least four, the true ones below"


def test_every_held_back_caption_is_drawn_beside_its_picture(home: Path) -> None:
    for name in ("pets", "laion"):
        folder = home / "runs" / name / "captions"
        rows = [json.loads(row) for row in (folder / "results.jsonl").read_text().splitlines()]
        assert len(rows) >= 4 and {row["prompt"] for row in rows} <= set(CAPTIONS)
        assert all(Image.open(folder / row["image"]).size == (64, 64) for row in rows)
        assert Image.open(folder / "sheet.png").height > 2 * EDGE
        scores = json.loads((folder / "scores.json").read_text())
        assert scores["provenance"]["n"] >= 4 and "score/alignment" not in scores
        assert {"chroma", "near_white"} <= {row["metric"] for row in scores["scores"]}
    look = (home / "runs/pets/look/results.jsonl").read_text().splitlines()
    assert [json.loads(row)["prompt"] for row in look] == ["a grey cat", "a brown dog"]


def test_the_own_prompt_becomes_four_pictures(home: Path) -> None:
    drawn = list((home / "runs").rglob("a-grey-cat-on-a-red-sofa_seed*.png"))
    assert len(drawn) == 4 and all(Image.open(file).size == (64, 64) for file in drawn)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train stage=small64 data.shards=datasets/pets name=toy data/prompts=shapes",
         "Set data/prompts=captions"),
        ("evaluate cascade=base cascade.base.run=runs/pets", "Set data/prompts=captions"),
        ("evaluate cascade=base cascade.base.run=runs/pets prompts=captions",
         "Choose one with data/prompts=captions"),
        ("sample cascade=base", "cascade.base.run"),
    ],
)  # fmt: skip
def test_what_does_not_fit_gets_one_sentence_and_no_run(
    home: Path, words: str, message: str
) -> None:
    command, *rest = shlex.split(words)
    done = run(command, *rest, folder=home, expect=1)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and message in lines[0], done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / "runs/toy/config.yaml").exists()
