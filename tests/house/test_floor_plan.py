"""The floor plan, as a test: which room may import which, and what a file looks like.

Read the table from the bottom of the import graph to its top: every arrow runs down. A new room or
command is put into it before anything else; where the work shows a better wall, this table is what
moves. docs/architecture.md draws it.
"""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PACKAGE, DRAW_ROOMS = REPO / "imagen_lit", REPO / "docs" / "draw_rooms.py"

ROOMS = {
    "basics": set(),  # files, numbers, errors, progress: nothing about images or training
    "cli": {"basics"},
    "diffusion": {"basics"},
    "network": {"basics"},
    "optimizer": {"basics"},
    "evaluation": {"basics"},
    "features": {"basics"},
    "suites": {"basics"},
    "rating": {"basics", "evaluation"},
    "shapes": {"basics", "evaluation"},
    "data": {"basics", "evaluation", "shapes", "suites"},
    "text": {"basics", "data"},
    "image_set": {"basics", "data", "shapes"},
    "metrics": {"basics", "evaluation", "features", "image_set"},
    "contrastive": {"basics", "data", "features"},
    "stage": {"basics", "diffusion"},
    "run": {"basics", "cli", "data", "network", "stage"},
    "measurement": {"basics", "network", "diffusion", "stage"},
    "machine_check": {"basics", "network", "diffusion", "stage", "run", "measurement"},
    "callbacks": {"basics", "data", "image_set", "metrics", "stage", "run"},
    "paper": {"basics", "cli"},  # whose choice each setting is, by the comments in conf/
    "cascade": {"basics", "cli", "data", "text", "stage", "run"}
    | {"evaluation", "image_set", "metrics"},
    "editing": {"basics", "image_set", "diffusion", "stage", "cascade"},
    "workbench": {"basics", "cli", "diffusion", "network", "text", "stage", "run", "cascade"}
    | {"editing"},
    "ablation": {"basics", "cli", "run", "evaluation"},
    "report": {"basics", "run", "evaluation", "paper", "ablation"},
    "launcher": {"basics", "cli", "run", "ablation"},
}
COMMANDS = {  # the files at the top of the package; each may import `basics` and `cli` too
    "fetch": {"data"},  # the packages of pictures are named there
    "build_shards": {"data"},
    "pretrain_text": {"shapes"},
    "pretrain_clip": {"data", "contrastive"},
    "embed_text": {"data", "text"},
    "randomise_text": {"text"},
    "bench": {"stage", "run", "measurement"},
    "bench_peers": {"stage", "measurement"},
    "bench_data": {"data", "bench"},
    "bench_text": {"data", "stage", "run", "report"},
    "train": {"data", "text", "stage", "run", "callbacks"},
    "learn_word": {"data", "text", "stage", "run"},
    "merge": {"network", "stage", "run"},
    "export": {"cascade"},
    "sample": {"text", "run", "report", "cascade"},
    "edit": {"text", "run", "report", "cascade", "editing"},
    "interpolate": {"text", "stage", "cascade", "edit"},
    "evaluate": {"data", "text", "image_set", "metrics", "run", "cascade"},
    "compare": {"evaluation", "metrics", "report"},
    "gpu_check": {"run", "machine_check"}
    | {"pretrain_text", "build_shards", "embed_text", "train"},
    "rate": {"rating", "report"},
    "studio": {"rating", "workbench"},  # the server of rating's page is any page's
    "dashboard": {"run"},
    "runs": {"run", "report"},
    "ablate": {"ablation", "launcher", "run", "report", "evaluation"}  # does commands by name
    | {"cascade", "evaluate"},  # to ask what metrics can measure
    "demo": {"data", "run", "report", "cascade"}
    | {"pretrain_text", "embed_text", "bench", "train", "evaluate", "runs"},
}
# Configs end here: below, everything is plain Python.
SPEAKS_HYDRA = {*COMMANDS, "cli", "run", "paper", "cascade", "ablation", "launcher"}

# The only imports of the package's own __init__.py.
FIRST = ("sys", "imagen_lit.cli.bootstrap")

# Inside the mathematics only the schedule is common ground.
SHARED_INSIDE = {"diffusion": {"schedule"}}
NO_CONCEPT = {"utils", "util", "helpers", "helper", "common", "misc", "base", "types", "tools"}
LONGEST, MEDIAN = 280, 90

FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room_of(file: Path) -> str:
    return file.parts[0].removesuffix(".py")


def allowed(room: str) -> set[str]:
    if room in COMMANDS:
        return COMMANDS[room] | {"basics", "cli"}
    return ROOMS[room] | {room}


def imports(source: str) -> Iterator[str]:
    """Dotted names that a file imports; `from a.b import c` gives `a.b.c`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (f"{start}.{alias.name}" for alias in node.names)


def violations(file: Path, source: str) -> list[str]:
    """How a file breaks the floor plan, in words."""
    room = room_of(file)
    if file == Path("__init__.py"):
        others = [name for name in imports(source) if name not in FIRST]
        return [f"{file} imports {name}; nothing is re-exported" for name in others]
    if room not in ROOMS and room not in COMMANDS:
        return [f"{file} is in no row of the floor plan: put it into ROOMS or COMMANDS"]
    problems = []
    if file.name == "__init__.py" and source.strip():
        problems.append(f"{file} is not empty; a thing has one address, the file that defines it")
    if file.stem in NO_CONCEPT or room in NO_CONCEPT:
        problems.append(f"{file} is named after no concept")
    if len(source.splitlines()) > LONGEST:
        problems.append(f"{file} has more than {LONGEST} lines; is it still one concept?")
    for name in imports(source):
        first, *rest = name.split(".")
        if name.startswith("."):
            problems.append(f"{file} imports {name} relatively; write the whole address")
        if first in ("hydra", "omegaconf") and room not in SPEAKS_HYDRA:
            problems.append(f"{file} may not import {first}; configs end above")
        if first != "imagen_lit" or not rest:
            continue
        if rest[0] not in allowed(room):
            problems.append(f"{file} may not import {rest[0]}")
        shared = SHARED_INSIDE.get(room)
        if rest[0] == room and shared is not None and not shared & set(rest[1:2]):
            problems.append(f"{file} may not import {name}; inside {room} only {shared} is shared")
    return problems


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_file_keeps_to_the_floor_plan(file: Path) -> None:
    assert violations(file, (PACKAGE / file).read_text()) == []


@pytest.mark.parametrize("file", [f for f in FILES if f.name != "__init__.py"], ids=str)
def test_a_file_opens_with_what_its_concept_is(file: Path) -> None:
    assert ast.get_docstring(ast.parse((PACKAGE / file).read_text()))


def test_no_arrow_of_the_plan_runs_up() -> None:
    below_it: set[str] = set()
    for room, below in (ROOMS | COMMANDS).items():  # the tables are in the order of the imports
        assert below <= below_it, f"{room} imports {below - below_it}, which stands above it"
        below_it.add(room)


def test_the_files_of_a_room_import_each_other_in_no_circle() -> None:
    arrows = {
        ".".join(("imagen_lit", *file.with_suffix("").parts)): list(
            imports((PACKAGE / file).read_text())
        )
        for file in FILES
    }
    below = {
        module: {m for m in arrows if any(f"{name}.".startswith(f"{m}.") for name in names)}
        for module, names in arrows.items()
    }
    while free := {module for module in below if not below[module] & set(below) - {module}}:
        below = {module: deps for module, deps in below.items() if module not in free}
    assert below == {}, f"a circle of imports among {sorted(below)}"


def test_every_file_at_the_top_of_the_package_is_a_command() -> None:
    top = {path.stem: path.read_text() for path in PACKAGE.glob("*.py")}
    top.pop("__init__")
    assert top.keys() == COMMANDS.keys()
    for name, source in top.items():
        assert f'@command.main("{name}")' in source, f"{name}.py is not a command"


def test_the_drawing_of_the_rooms_shows_the_imports_as_they_are() -> None:
    subprocess.run([sys.executable, DRAW_ROOMS, "--check"], check=True)


def test_half_of_the_files_are_short() -> None:
    lengths = [len((PACKAGE / file).read_text().splitlines()) for file in FILES]
    assert statistics.median(length for length in lengths if length) <= MEDIAN


@pytest.mark.parametrize("file", FILES, ids=str)
def test_an_error_in_words_is_an_input_error_or_a_run_error(file: Path) -> None:
    """A bare ValueError would be taken for a bug, and print a traceback instead of its words."""
    raised = re.findall(
        r"raise (ValueError|RuntimeError|Exception)\b", (PACKAGE / file).read_text()
    )
    assert raised == []


@pytest.mark.parametrize(
    ("file", "source", "problem"),
    [
        ("diffusion/loss.py", "from imagen_lit.stage import ema", "may not import stage"),
        ("diffusion/loss.py", "import imagen_lit.stage.ema", "may not import stage"),
        ("diffusion/loss.py", "from imagen_lit import data", "may not import data"),
        ("diffusion/loss.py", "from imagen_lit.diffusion import noise", "only {'schedule'}"),
        ("stage/ema.py", "def f():\n    from omegaconf import DictConfig", "configs end above"),
        ("stage/ema.py", "from .training import Stage", "relatively"),
        ("train.py", "from imagen_lit import sample", "may not import sample"),
        ("attic.py", "", "in no row"),
        ("network/utils.py", "", "no concept"),
        ("network/unet.py", "\n" * 281, "more than 280"),
        ("network/__init__.py", "x = 1", "not empty"),
        ("__init__.py", "from imagen_lit.network.unet import UNet", "re-exported"),
    ],
)
def test_the_plan_notices_each_kind_of_violation(file: str, source: str, problem: str) -> None:
    assert any(problem in words for words in violations(Path(file), source))
