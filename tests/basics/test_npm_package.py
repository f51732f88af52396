"""A package is fetched by npm, here a stand-in that copies from a folder, and only ever read."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from imagen_lit.basics.errors import InputError, RunError
from imagen_lit.basics.npm_package import NpmPackage

STAND_IN = """#!/bin/sh
# pack @made/pictures@1.2.3 --pack-destination=<folder> ...
[ "$1" = pack ] || exit 2
cp "$(dirname "$0")/registry.tgz" "${3#--pack-destination=}/made-pictures-1.2.3.tgz" && exit 0
echo "npm error code E404" >&2
echo "npm error 404 Not Found" >&2
exit 1
"""


def archive(*members: tuple[str, bytes], **odd: str) -> bytes:
    """A tarball; `odd` are links by name."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for name, target in odd.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return file.getvalue()


PLAIN = archive(("package/a.txt", b"a"), ("package/b/c.svg", b"<svg/>"))


def known(content: bytes) -> NpmPackage:
    return NpmPackage("@made/pictures", "1.2.3", hashlib.sha256(content).hexdigest())


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stand-in for npm, which delivers registry.tgz."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "npm").write_text(STAND_IN)
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_a_package_is_fetched_once_and_read_without_unpacking(npm: Path, tmp_path: Path) -> None:
    (npm / "registry.tgz").write_bytes(PLAIN)
    package, folder = known(PLAIN), tmp_path / "packages"
    assert package.fetch(folder)
    (npm / "registry.tgz").unlink()
    assert not package.fetch(folder), "nothing is asked of the registry"
    assert [file.name for file in folder.iterdir()] == ["made-pictures-1.2.3.tgz"]
    assert package.read(folder, lambda name: name.endswith(".svg")) == {"b/c.svg": b"<svg/>"}


def test_a_package_of_another_content_is_not_kept(npm: Path, tmp_path: Path) -> None:
    (npm / "registry.tgz").write_bytes(PLAIN + b"x")
    with pytest.raises(InputError, match=r"its sha256 is not \w+\. Nothing of it was kept"):
        known(PLAIN).fetch(tmp_path / "packages")
    assert not (tmp_path / "packages").exists()


def test_a_file_that_has_changed_is_neither_replaced_nor_read(npm: Path, tmp_path: Path) -> None:
    file = tmp_path / known(PLAIN).name
    file.write_bytes(b"mine")
    with pytest.raises(InputError, match=r"another content than @made/pictures 1\.2\.3\. Move it"):
        known(PLAIN).fetch(tmp_path)
    with pytest.raises(InputError, match="another content"):
        known(PLAIN).read(tmp_path, lambda name: True)
    assert file.read_bytes() == b"mine"


def test_a_registry_without_it_is_named_in_a_sentence(npm: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"could not be downloaded \(404 Not Found\)\. Check that"):
        known(PLAIN).fetch(tmp_path / "packages")


def test_without_npm_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match=r"npm is not installed.* Add Node\.js with its npm"):
        known(PLAIN).fetch(tmp_path / "packages")


@pytest.mark.parametrize(
    "content",
    [
        archive(("package/../../outside.txt", b"")),
        archive(("/outside.txt", b"")),
        archive(("package/a.txt", b"a"), link="/outside.txt"),
    ],
    ids=["above", "absolute", "link"],
)
def test_a_package_with_a_name_that_leads_out_of_it_is_refused(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / known(content).name).write_bytes(content)
    with pytest.raises(InputError, match=r"leads out of it.* Delete the file"):
        known(content).read(tmp_path, lambda name: True)
