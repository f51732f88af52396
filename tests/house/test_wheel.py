"""The package as a wheel works from a folder that has nothing to do with the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
ROOTS = sorted(path.stem for path in (REPO / "conf").glob("*.yaml"))

COMPOSE = """
import sys
import imagen_lit
from imagen_lit.cli import assets, config
from hydra.core.config_store import ConfigStore
print(imagen_lit.__file__)
print(assets.conf())
for root in sys.argv[1:]:
    config.compose(root)
assets.register_sweeps()
print(*sorted(ConfigStore.instance().repo.get("sweep", {})))
"""

LAUNCHER = """
from imagen_lit.cli import config
cfg = config.compose("train", ["hydra/launcher=slurm"], with_hydra=True)
print(cfg.hydra.launcher.setup[0])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked; built by the backend at hand, so without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *flags, "--wheel-dir", folder, REPO],
        check=True,
        timeout=300,
    )
    (wheel,) = folder.glob("imagen_lit-*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def run(installed: Path, folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name[0] != "." and "__pycache__" not in path.parts
    }


def test_a_wheel_contains_the_code_the_configs_and_the_sweeps(installed: Path) -> None:
    package = installed / "imagen_lit"
    assert files(package / "_assets" / "conf") == files(REPO / "conf")
    assert files(package / "_assets" / "sweeps") == files(REPO / "sweeps")
    assert files(package / "_assets" / "slurm") == files(REPO / "slurm")
    assert files(installed / "hydra_plugins") == files(REPO / "hydra_plugins")
    code = {name for name in files(package) if not name.startswith("_assets/")}
    assert code == files(REPO / "imagen_lit")
    assert list(installed.glob("imagen_lit-*.dist-info/licenses/LICENSE"))


def test_a_wheel_contains_what_a_job_needs_before_its_imports(
    installed: Path, tmp_path: Path
) -> None:
    line = run(installed, tmp_path, "-c", LAUNCHER).strip()
    early = installed / "imagen_lit" / "_assets" / "slurm" / "early"
    assert line == f"export PYTHONPATH={early}:$PYTHONPATH"
    assert (early / "sitecustomize.py").is_file()


def test_a_wheel_finds_its_assets_from_another_folder(installed: Path, tmp_path: Path) -> None:
    package, conf, sweeps = run(installed, tmp_path, "-c", COMPOSE, *ROOTS).splitlines()
    assert Path(package).is_relative_to(installed)
    assert Path(conf) == installed / "imagen_lit" / "_assets" / "conf"
    assert set(sweeps.split()) == {path.name for path in (REPO / "sweeps").glob("*.yaml")}


@pytest.mark.parametrize("root", [root for root in ROOTS if root == "train"])
def test_a_command_of_the_wheel_runs_from_another_folder(
    installed: Path, tmp_path: Path, root: str
) -> None:
    shown = run(installed, tmp_path, "-m", f"imagen_lit.{root}", "--cfg", "job")
    assert "_target_: imagen_lit." in shown
    assert files(tmp_path) == set(), "to look at a config leaves nothing behind"
