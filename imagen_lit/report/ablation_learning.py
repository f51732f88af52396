"""How the trainings of an ablation learnt: losses and scores of previews, arm by arm, a line for
each training seed, by images seen and by time."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.plan import Plan
from imagen_lit.report import chart, page, training_clock
from imagen_lit.report.document import Block, Fold, Raw, Words
from imagen_lit.run import run_facts
from imagen_lit.run.run_facts import RunFacts

HOUR = 3600


def blocks(plan: Plan, runs: Path) -> Iterator[Block]:
    """A fold for each arm of each stage."""
    for stage in plan.definition.stages:
        groups = arms(plan, stage)
        for arm, cells in groups.items():
            facts = [run_facts.read(runs / cell.name, cell.name) for cell in cells.values()]
            seeds = dict(zip(cells, facts, strict=True))
            charts = [*_charts(seeds)]
            title = f"{stage}: {arm}" if len(plan.definition.stages) > 1 else arm
            if not charts:
                yield Words([f"{title}: no training of it has written a loss yet."], "soft")
                continue
            lack = [seed for seed, each in seeds.items() if not each.series]
            if lack:
                title += f" (nothing yet of seed {', '.join(map(str, lack))})"
            yield Fold(title, [Raw(f'<div class="plots">{"".join(charts)}</div>', _words(seeds))])


def arms(plan: Plan, stage: str) -> dict[str, dict[int, Cell]]:
    """The trainings of a stage by their arm and seed; those that several arms share go by the name
    of their folder."""
    labels: dict[str, set[str]] = {}
    for points in plan.points.values():
        for point in points:
            label = " · ".join(point.arm.values()) or "all trainings"
            for name in plan.cells[point.cell].needs if point.cell in plan.cells else ():
                labels.setdefault(name, set()).add(label)
    prefix = f"ablation/{plan.definition.scale}/{stage}/"
    groups: dict[str, dict[int, Cell]] = {}
    for cell in plan.of("train"):
        if cell.name.startswith(prefix):
            own, seed = labels.get(cell.name, set()), cell.settings.get("seed", 0)
            parts = cell.name.removeprefix(prefix).split("+")
            folder = "+".join(part for part in parts if not part.startswith("seed-")) or "usual"
            label = own.pop() if len(own) == 1 else ""
            groups.setdefault(label or folder, {})[int(seed)] = cell
    return groups


def _charts(runs: Mapping[int, RunFacts]) -> Iterator[str]:
    names = dict.fromkeys(name for run in runs.values() for name in run.series)
    for name in names:
        if name.startswith(training_clock.CLOCK):
            continue
        if "/alignment_" in name and not name.endswith("_all"):
            continue  # of the categories of prompts: the page of runs has them
        for unit in ("images seen", "hours"):
            lines = {f"seed {seed}": _points(run, name, unit) for seed, run in runs.items()}
            lines = {label: line for label, line in lines.items() if line}
            if lines:
                draw = chart.shares if "/alignment_" in name else chart.curves
                yield page.figure(f"{name} by {unit}", draw(lines, unit, name))


def _points(run: RunFacts, name: str, unit: str) -> Sequence[tuple[float, ...]]:
    points = run.series.get(name, ())
    if unit != "hours":
        return [(images, value) for images, value, *_ in points]
    timed = [(training_clock.at(run.folder, images), value) for images, value, *_ in points]
    return [(at["seconds"] / HOUR, value) for at, value in timed if "seconds" in at]


def _words(runs: Mapping[int, RunFacts]) -> str:
    """For Markdown: the last number of each."""
    lines = []
    for seed, run in runs.items():
        last = ", ".join(
            f"{name} {points[-1][1]:.4g}"
            for name, points in run.series.items()
            if not name.startswith(training_clock.CLOCK)
        )
        lines.append(f"- seed {seed}, after {run.images:,} images: {last or 'nothing yet'}")
    return "\n".join(lines)
