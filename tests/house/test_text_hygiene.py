"""What the repository must not hold: addresses of registries, paths of one machine, outputs."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]

# In pieces, so that this file does not match itself.
REGISTRIES = re.compile("|".join(["py" + "pi", "python" + "hosted", "conda" + r"\.anaconda"]), re.I)
MACHINE = re.compile(
    r"(?<![\w.~$}*])/(?:" + "|".join(["wo" + "rk", "far" + "m", "ro" + "ot", "ho" + "me"]) + r")/"
)


def tracked() -> list[Path]:
    """What git keeps. Without git, or in an archive, nobody can say; where there is a repository,
    git has to answer."""
    if shutil.which("git") is None or not (REPO / ".git").exists():
        pytest.skip("this folder is no repository of git, or git is not installed")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True, check=True
    )
    names = listed.stdout.split("\0")
    return [REPO / name for name in names if name and (REPO / name).is_file()]


def lines() -> list[tuple[str, str]]:
    numbered = []
    for path in tracked():
        raw = path.read_bytes()
        if b"\0" not in raw:
            place = path.relative_to(REPO).as_posix()
            numbered += [(f"{place}:{n}", s) for n, s in enumerate(raw.decode().splitlines(), 1)]
    return numbered


def test_no_file_names_a_registry() -> None:
    assert [place for place, line in lines() if REGISTRIES.search(line)] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert [place for place, line in lines() if MACHINE.search(line)] == []


@pytest.mark.parametrize("path", sorted(REPO.glob("constraints*.txt")), ids=lambda p: p.name)
def test_constraints_hold_versions_only(path: Path) -> None:
    for line in path.read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line


def test_constraints_pin_every_package_that_is_asked_for() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    required = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    extras = project["project"]["optional-dependencies"]
    required += [*extras["dev"], *extras["peers"]]
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (REPO / "constraints.txt").read_text().splitlines()
    }
    assert {re.match(r"[\w-]+", words)[0] for words in required} <= pinned


def test_one_version_stands_everywhere() -> None:
    import imagen_lit

    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert project["version"] == imagen_lit.__version__


def test_a_licence_is_there_and_named() -> None:
    assert "Apache License" in (REPO / "LICENSE").read_text()
    assert 'license = "Apache-2.0"' in (REPO / "pyproject.toml").read_text()


def test_documents_and_yaml_are_wrapped() -> None:
    """At 120 characters; a table's row or an image's link cannot be wrapped."""
    wide = [
        place
        for place, line in lines()
        if place.partition(":")[0].endswith((".md", ".yaml", ".yml", ".cff"))
        and len(line) > 120
        and not line.lstrip().startswith(("|", "!["))
    ]
    assert wide == []


def test_relative_links_of_documents_lead_somewhere() -> None:
    for path in (path for path in tracked() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_notebooks_carry_no_outputs() -> None:
    for path in (path for path in tracked() if path.suffix == ".ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "code":
                assert cell["outputs"] == [] and cell["execution_count"] is None, path
