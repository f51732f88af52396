"""CONTRIBUTING.md, followed: its sampler, encoder and sweep are added to a copy, under all laws."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
COPIED = ("imagen_lit", "conf", "sweeps", "slurm", "tests", "pyproject.toml")

# `path`: or `path`, at its end:, then a fenced block
RECIPE = re.compile(r"^`([\w./-]+)`(, at its end)?:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)

NAMES = ("midpoint", "bert_tiny", "guidance_steps")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with everything added that CONTRIBUTING.md shows."""
    copy = tmp_path_factory.mktemp("contribution")
    for name in COPIED:
        if (REPO / name).is_dir():
            shutil.copytree(REPO / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REPO / name, copy / name)
    recipes = RECIPE.findall((REPO / "CONTRIBUTING.md").read_text())
    assert len(recipes) == 4, "a class, its option, an encoder and a sweep"
    for path, is_appended, code in recipes:
        before = (copy / path).read_text() + "\n\n" if is_appended else ""
        assert (copy / path).exists() == bool(is_appended), (
            f"{path} exists: rename yours, the name is that of an example in CONTRIBUTING.md"
        )
        (copy / path).write_text(before + code)
    return copy


def test_what_contributing_shows_is_under_the_laws_and_holds_them(copy: Path) -> None:
    laws = ["tests/diffusion", "tests/house/test_conf.py", "-k", " or ".join(NAMES)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *laws],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = [line for line in done.stdout.splitlines() if line.startswith("PASSED ")]
    for name in NAMES:
        assert any(name in line for line in passed), f"no test ran over {name}"
    laws_of_samplers = [line for line in passed if "tests/diffusion/test_sampler.py" in line]
    assert len(laws_of_samplers) >= 5, "the laws of samplers find the new one by themselves"


def test_what_contributing_shows_is_in_our_style(copy: Path) -> None:
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "imagen_lit/diffusion"]
        subprocess.run(ruff, cwd=copy, check=True, timeout=60)
