"""Emoji of four artists become shards: what is in which, what a sample says, and what is refused.

The packages are tiny ones made here, in the form of the real ones.
"""

import dataclasses
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagen_lit import build_shards
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.data.emoji import artist, label, picture, split
from imagen_lit.data.emoji.artist import ARTISTS
from imagen_lit.data.prompts.captions import ShardCaptions
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.data.source import emoji
from imagen_lit.data.source.emoji import Emoji
from imagen_lit.image_set.shards import Shards

THINGS, TONE = [f"{0x1F400 + number:X}" for number in range(60)], "1F3FB"
SQUARE = '<path fill="#f00" d="M0 0h4v4h-4z"/>'  # a quarter of a drawing of 8


def tarball(content: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, data in content.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def webp() -> bytes:
    file = io.BytesIO()
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    image.paste((0, 0, 255, 255), (8, 8, 24, 24))
    image.save(file, "WEBP", lossless=True)
    return file.getvalue()


def contents() -> dict[str, dict[str, bytes]]:
    """What each package holds: sixty things, each also with a skin tone."""
    codes = [*THINGS, *(f"{thing}-{TONE}" for thing in THINGS)]
    table = [
        {
            "hexcode": thing,
            "label": f"thing {thing}",
            "group": 3,
            "skins": [{"hexcode": f"{thing}-{TONE}", "label": f"thing {thing}: light skin tone"}],
        }
        for thing in THINGS
    ]
    table.append({"hexcode": TONE, "label": "light skin tone", "group": label.PARTS_OF_EMOJI})
    icons = {
        "chars.json": json.dumps({each.lower(): f"name-{each}" for each in [*codes, TONE]}),
        "icons.json": json.dumps(
            {
                "width": 8,
                "height": 8,
                "icons": {f"name-{each}": {"body": SQUARE} for each in [*codes, TONE]},
            }
        ),
    }
    drawn = {name: text.encode() for name, text in icons.items()}
    files = {f"assets/{each.lower()}.webp": webp() for each in codes}
    return {
        "fluent": files,
        **dict.fromkeys(("noto", "openmoji", "twemoji"), drawn),
        "names": {artist.NAMES_FILE: json.dumps(table).encode()},
    }


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of made packages, which are the known ones while the tests of this file run."""
    folder = tmp_path_factory.mktemp("packages")

    def made(package: artist.NpmPackage, content: dict[str, bytes]) -> artist.NpmPackage:
        data = tarball(content)
        (folder / package.name).write_bytes(data)
        return dataclasses.replace(package, sha256=hashlib.sha256(data).hexdigest())

    content = contents()
    with pytest.MonkeyPatch.context() as patch:
        for name, each in ARTISTS.items():
            own = dataclasses.replace(each, package=made(each.package, content[name]))
            patch.setitem(ARTISTS, name, own)
        names = made(artist.NAMES, content["names"])
        patch.setattr(emoji, "NAMES", names)
        patch.setattr(emoji, "PACKAGES", (*(a.package for a in ARTISTS.values()), names))
        yield folder


@pytest.fixture(scope="module")
def built(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("resvg_py")
    folder = tmp_path_factory.mktemp("emoji")
    words = ["data/source=emoji", f"source.packages={packages}", "source.size=16", "workers=0"]
    build_shards.main(config.compose("build_shards", [*words, f"folder={folder}"]))
    return folder


def entries(folder: Path) -> list[dict]:
    shards = Collection(folder)
    opened = [shards.open(number) for number in range(len(shards))]
    return [
        {**shard.metadata(row), "key": shard.key(row), "caption": shard.caption(row)}
        for shard in opened
        for row in range(len(shard))
    ]


def test_parts_of_emoji_have_no_label_and_skin_tones_share_a_concept() -> None:
    labels = label.read(contents()["names"][artist.NAMES_FILE])
    assert labels.keys() == {*THINGS, *(f"{thing}-{TONE}" for thing in THINGS)}
    assert all(labels[f"{thing}-{TONE}"].concept == thing for thing in THINGS)


def test_a_picture_that_is_no_drawing_is_put_on_white_and_never_enlarged() -> None:
    for size, edge in ((16, 16), (32, 32), (64, 32)):
        image = Image.open(io.BytesIO(picture.on_white(webp(), size)))
        assert (image.size, image.mode) == ((edge, edge), "RGB")
        assert image.getpixel((0, 0)) == (255, 255, 255)
        assert image.getpixel((edge // 2, edge // 2)) == (0, 0, 255)


def test_a_drawing_is_put_on_white_at_any_size() -> None:
    pytest.importorskip("resvg_py")
    drawing = artist.drawings(contents()["noto"])[THINGS[0]]
    image = np.array(Image.open(io.BytesIO(picture.on_white(drawing, 48))))
    assert image.shape == (48, 48, 3)
    assert (image[:24, :24] == (255, 0, 0)).all() and (image[24:] == 255).all()


def test_without_a_renderer_a_sentence_says_what_to_install(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(InputError, match=r"resvg-py\. Type pip install 'imagen-lit\[pictures\]'"):
        Emoji(str(packages)).parts()


def test_packages_that_were_not_fetched_are_named_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lacks .*noto.*Fetch them with: .*fetch pictures=emoji"):
        Emoji(str(tmp_path)).parts()


def test_the_shards_hold_no_held_out_concept_or_pair(built: Path) -> None:
    parts = {name: entries(built / name) for name in split.PARTS}
    trained = {(each["concept"], each["style"]) for each in parts["train"]}
    assert parts["pairs"] and parts["concepts"]
    assert not trained & {(each["concept"], each["style"]) for each in parts["pairs"]}
    assert not {concept for concept, _ in trained} & {e["concept"] for e in parts["concepts"]}
    assert {style for _, style in trained} == {each.style for each in ARTISTS.values()}
    for name, samples in parts.items():
        assert len({each["key"] for each in samples}) == len(samples)
        for each in samples:
            known = next(a for a in ARTISTS.values() if a.style == each["style"])
            assert each["caption"] == f"a {each['label']}, {known.style}"
            assert (each["artist"], each["licence"]) == (known.name, known.licence)
            assert each["split"] == name


def test_the_artists_are_named_beside_the_shards(built: Path) -> None:
    text = (built / "LICENCES.md").read_text()
    for each in ARTISTS.values():
        row = [each.work, each.name, each.licence, each.package.package, each.package.version]
        assert any(all(word in line for word in row) for line in text.splitlines())


def test_held_out_pairs_are_prompts_with_true_images_and_a_set(built: Path) -> None:
    folder = str(built / "pairs")
    prompts = ShardCaptions(folder, None, 256).of(None)
    images = Shards(folder, 16, part="all", validation=0)
    captions = {each["caption"] for each in entries(built / "pairs")}
    assert {*prompts.prompts} == captions == {*images.prompts}
    assert prompts.true_images(16).shape == (len(captions), 16, 16, 3)


def test_a_dry_run_counts_every_part_and_writes_nothing(
    packages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("resvg_py")
    words = ["data/source=emoji", f"source.packages={packages}", "source.size=16", "dry_run=true"]
    build_shards.main(config.compose("build_shards", [*words, f"folder={tmp_path}/set"]))
    output = capsys.readouterr().out
    assert [f"{name}:" in output for name in split.PARTS] == [True] * 3
    assert not (tmp_path / "set").exists()
