"""The four artists whose pictures are used: the package of each, its licence, and the words for its
style; and the package of names. docs/emoji.md
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagen_lit.basics.npm_package import NpmPackage
from imagen_lit.data.emoji import code

NAMES = NpmPackage(
    "emojibase-data",
    "17.0.0",
    sha256="d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
)
NAMES_FILE, NAMES_LICENCE = "en/data.json", "MIT, by Miles Johnson"

Pictures = dict[str, bytes]  # by normal code: a WebP file, or a drawing in SVG


def files(content: Mapping[str, bytes]) -> Pictures:
    """From a package of one file for each picture, called by its code."""
    pictures: Pictures = {}
    for name in sorted(content):
        pictures.setdefault(code.normal(Path(name).stem), content[name])
    return pictures


def drawings(content: Mapping[str, bytes]) -> Pictures:
    """From a package of Iconify, which holds all drawings in one file."""
    codes, icons = json.loads(content["chars.json"]), json.loads(content["icons.json"])
    pictures: Pictures = {}
    for written, name in sorted(codes.items()):
        name = icons.get("aliases", {}).get(name, {}).get("parent", name)
        icon = icons["icons"][name]
        width, height = (icon.get(key, icons[key]) for key in ("width", "height"))
        drawing = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
        )
        pictures.setdefault(code.normal(written), drawing.encode())
    return pictures


@dataclass(frozen=True)
class Artist:
    """Who made a set of pictures, under which licence, and where it is."""

    name: str
    work: str  # the name of the set
    licence: str  # SPDX
    style: str  # words of a caption
    package: NpmPackage
    is_wanted: Callable[[str], bool]  # of a file's name in the package
    pictures: Callable[[Mapping[str, bytes]], Pictures]

    @property
    def credit(self) -> str:
        """One line, as each of the licences asks for."""
        return f"{self.work} by {self.name} ({self.licence})"


def _is_icons(name: str) -> bool:
    return name in ("chars.json", "icons.json")


ARTISTS = {
    "fluent": Artist(
        *("Microsoft", "Fluent Emoji 3D", "MIT", "3D render"),
        NpmPackage(
            "@lobehub/fluent-emoji-3d",
            "1.1.0",
            sha256="c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
        ),
        lambda name: name.startswith("assets/") and name.endswith(".webp"),
        files,
    ),
    "noto": Artist(
        *("Google", "Noto Emoji", "Apache-2.0", "glossy cartoon"),
        NpmPackage(
            "@iconify-json/noto",
            "1.2.9",
            sha256="3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
        ),
        _is_icons,
        drawings,
    ),
    "openmoji": Artist(
        *("the OpenMoji project", "OpenMoji", "CC-BY-SA-4.0", "outlined drawing"),
        NpmPackage(
            "@iconify-json/openmoji",
            "1.2.29",
            sha256="03181e2c156cab35cf4a62f1f7886bd971d59212e75ac3f189d5a4cae3930fc5",
        ),
        _is_icons,
        drawings,
    ),
    "twemoji": Artist(
        *("Twitter and contributors", "Twemoji", "CC-BY-4.0", "flat icon"),
        NpmPackage(
            "@iconify-json/twemoji",
            "1.2.5",
            sha256="19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
        ),
        _is_icons,
        drawings,
    ),
}
STYLES = tuple(ARTISTS)
PACKAGES = (*(artist.package for artist in ARTISTS.values()), NAMES)
