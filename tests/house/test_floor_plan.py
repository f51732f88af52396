"""The floor plan, as a test: who may import whom, and how a file looks.

Read the table from the ground up: every arrow runs down. A new room, single file or door is put
into it before anything else; where the work shows a better wall, this table is what moves.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "imagen_lit"

ROOMS = {
    # ground floor: these know nothing of each other
    "diffusion": set(),
    "network": set(),
    "data": set(),
    "optimizer": set(),
    "machine": set(),
    "pace": set(),
    "slurm": set(),
    "owner": {"data", "slurm"},
    "status": {"data", "slurm", "owner"},
    # how doors are opened
    "assets": set(),
    "complaint": set(),
    "start": set(),
    "door": {"assets", "complaint", "start"},
    # first floor
    "text": {"data"},
    "evaluation": {"data"},
    "stage": {"diffusion"},
    "readiness": {"data"},
    "demo_plan": {"data"},
    "outlook": {"data", "stage"},
    # second and third floor
    "checkpoint": {"data"},
    "callbacks": {"stage", "machine", "pace", "checkpoint", "slurm", "owner", "status"},
    "run_folder": {"data", "stage", "door", "checkpoint", "status"},
    "mirror": {"run_folder"},
    "cascade": {"stage", "door", "run_folder"},
    "demo_page": {"demo_plan", "evaluation", "run_folder"},
    "protocol": {"data", "run_folder", "cascade"},
}
DOORS = {  # each may import `door` and `assets` too
    "bench": {"data", "diffusion", "stage", "machine", "outlook", "readiness"},
    "bench_data": {"data", "bench"},
    "bench_text": {"data", "stage", "evaluation", "run_folder"},
    "build_shards": {"data"},
    "pretrain_text": {"data", "text", "pace"},
    "embed_text": {"data", "text", "machine"},
    "train": {"data", "text", "stage", "outlook", "readiness", "checkpoint", "run_folder"}
    | {"callbacks", "complaint", "slurm", "owner", "status"},
    "sample": {"text", "evaluation", "stage", "cascade"},
    "evaluate": {"data", "text", "evaluation", "pace", "protocol", "cascade", "sample"},
    "dashboard": {"run_folder", "mirror"},
    "demo": {"demo_plan", "demo_page", "data", "machine", "pace", "protocol", "run_folder"}
    | {"start", "cascade"}
    | {"build_shards", "pretrain_text", "embed_text", "train", "bench", "sample", "evaluate"},
}
SPEAKS_HYDRA = {*DOORS, "run_folder", "assets", "complaint", "door"}

# All that may be imported before anything else is.
FIRST = ("sys", "imagen_lit.start")

# Inside the mathematics only the schedule is common ground.
SHARED_INSIDE = {"diffusion": {"schedule"}}
NO_CONCEPT = {"utils", "util", "helpers", "helper", "common", "misc", "base", "types", "tools"}
LONGEST = 300

FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room_of(file: Path) -> str:
    return file.parts[0].removesuffix(".py")


def allowed(room: str) -> set[str]:
    if room in DOORS:
        return DOORS[room] | {"door", "assets"}
    return ROOMS[room] | {room}


def imports(source: str) -> Iterator[str]:
    """Dotted names that a file imports; `from a.b import c` gives `a.b.c`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (f"{start}.{alias.name}" for alias in node.names)


def faults(file: Path, source: str) -> list[str]:
    """What the floor plan holds against this file, in words."""
    room = room_of(file)
    if file == Path("__init__.py"):
        others = [name for name in imports(source) if name not in FIRST]
        return [f"{file} imports {name}; nothing is re-exported" for name in others]
    if room not in ROOMS and room not in DOORS:
        return [f"{file} is in no row of the floor plan: put it into ROOMS or DOORS"]
    found = []
    if file.name == "__init__.py" and source.strip():
        found.append(f"{file} is not empty; a thing has one address, the file that defines it")
    if file.stem in NO_CONCEPT or room in NO_CONCEPT:
        found.append(f"{file} is named after no concept")
    if len(source.splitlines()) > LONGEST:
        found.append(f"{file} has more than {LONGEST} lines; is it still one concept?")
    for name in imports(source):
        first, *rest = name.split(".")
        if name.startswith("."):
            found.append(f"{file} imports {name} relatively; write the whole address")
        if first in ("hydra", "omegaconf") and room not in SPEAKS_HYDRA:
            found.append(f"{file} may not import {first}; configs end at the doors")
        if first != "imagen_lit" or not rest:
            continue
        if rest[0] not in allowed(room):
            found.append(f"{file} may not import {rest[0]}")
        shared = SHARED_INSIDE.get(room)
        if rest[0] == room and shared is not None and not shared & set(rest[1:2]):
            found.append(f"{file} may not import {name}; inside {room} only {shared} is shared")
    return found


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_file_keeps_to_the_floor_plan(file: Path) -> None:
    assert faults(file, (PACKAGE / file).read_text()) == []


@pytest.mark.parametrize("file", [f for f in FILES if f.name != "__init__.py"], ids=str)
def test_a_file_opens_by_saying_what_the_concept_is(file: Path) -> None:
    assert ast.get_docstring(ast.parse((PACKAGE / file).read_text()))


def test_no_arrow_of_the_plan_runs_back_up() -> None:
    standing: set[str] = set()
    for room, below in (ROOMS | DOORS).items():  # the tables are written from the ground up
        assert below <= standing, f"{room} leans on {below - standing}, which stands above it"
        standing.add(room)


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


@pytest.mark.parametrize(
    ("file", "source", "fault"),
    [
        ("diffusion/loss.py", "from imagen_lit.stage import ema", "may not import stage"),
        ("diffusion/loss.py", "import imagen_lit.stage.ema", "may not import stage"),
        ("diffusion/loss.py", "from imagen_lit import data", "may not import data"),
        ("diffusion/loss.py", "from imagen_lit.diffusion import noise", "only {'schedule'}"),
        ("stage/ema.py", "def f():\n    from omegaconf import DictConfig", "end at the doors"),
        ("stage/ema.py", "from .training import Stage", "relatively"),
        ("train.py", "from imagen_lit import sample", "may not import sample"),
        ("attic.py", "", "in no row"),
        ("network/utils.py", "", "no concept"),
        ("network/unet.py", "\n" * 301, "more than 300"),
        ("network/__init__.py", "x = 1", "not empty"),
        ("__init__.py", "from imagen_lit.network.unet import UNet", "re-exported"),
    ],
)
def test_the_plan_notices_each_kind_of_fault(file: str, source: str, fault: str) -> None:
    assert any(fault in words for words in faults(Path(file), source))
