"""The report of an ablation: one page beside its pictures and tables, and the same as Markdown, in
runs/ablation/<scale>/reports/<name>/. Made from the run folders alone, and right when half
finished: what is missing is said, and what is there is shown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagen_lit.ablation.definition import Definition
from imagen_lit.ablation.figure_scores import CURVES
from imagen_lit.ablation.plan import Plan
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.settings_diff import flatten
from imagen_lit.basics.short_form import quantity
from imagen_lit.report import (
    ablation_answer,
    ablation_comparison,
    ablation_cost,
    ablation_figure,
    ablation_index,
    ablation_learning,
    ablation_marks,
    ablation_response,
    ablation_samples,
    ablation_table,
    document,
)
from imagen_lit.report.ablation_comparison import Comparison
from imagen_lit.report.ablation_marks import DONE, Marks
from imagen_lit.report.document import Block, Drawing, Fold, Points, Section, Table, Words
from imagen_lit.report.paper_claim import Claim
from imagen_lit.run import run_facts

KIND, FACTS = "ablation", "report.json"
MISSING = 12  # sentences before a click
Comparisons = Mapping[str, Sequence[Comparison]]
# How a training differs from the paper, of its name and its settings; None: nothing to say.
Deviations = Callable[[str, Mapping[str, Any]], Block | None]


def write(
    plan: Plan,
    entries: Mapping[str, Any],
    runs: Path,
    out: Path | None = None,
    deviations: Deviations | None = None,
) -> Path:
    """The report, and anew the index of all reports beside it; returns the page.

    `entries`: the ledger's, by cell. `out`: the folder, if another than the usual one.
    """
    definition = plan.definition
    folder = out or place(definition, runs)
    figures = [ablation_marks.read(plan, each, entries, runs) for each in definition.figures]
    compared = ablation_comparison.all_pairs(figures, runs)
    blocks: list[Block] = [
        *_head(definition, figures, compared),
        _progress(plan, entries, figures),
    ]
    for marks in figures:
        blocks.append(_figure(marks, compared[marks.figure.name], definition, runs))
    blocks.append(Section("How they learnt", list(ablation_learning.blocks(plan, runs))))
    if deviations is not None and (rows := list(_deviations(plan, runs, deviations))):
        blocks.append(Section("How the trainings differ from the paper", rows))
    blocks.append(Section("Cost", list(ablation_cost.blocks(plan, entries, runs))))
    blocks += _protocols(figures)
    title = f"Ablation {definition.name}, at scale={definition.scale}"
    links = [("../index.html", "all ablations")] if out is None else []
    page = document.write(folder, KIND, title, blocks, links)
    write_json(folder / FACTS, facts(plan, entries, figures, compared))
    if out is None:
        ablation_index.write(folder.parent, runs)
    return page


def place(definition: Definition, runs: Path) -> Path:
    """The folder of a report."""
    return runs / "ablation" / definition.scale / "reports" / definition.name


def facts(
    plan: Plan, entries: Mapping[str, Any], figures: Sequence[Marks], compared: Comparisons
) -> dict[str, Any]:
    """What the index and W&B's pages need to know of a report."""
    definition = plan.definition
    states = [ablation_cost.state(entries, cell) for cell in plan.cells.values()]
    arms = {
        cell.name: arm
        for stage in definition.stages
        for arm, cells in ablation_learning.arms(plan, stage).items()
        for cell in cells.values()
    }
    return {
        "name": definition.name,
        "scale": definition.scale,
        "head": dict(definition.head),
        "seeds": list(definition.seeds),
        "cells": len(states),
        "done": sum(state.startswith(DONE) for state in states),
        "trainings": arms,
        "single_seed": ablation_answer.single_seed(figures),
        "figures": [ablation_answer.facts(each, compared[each.figure.name]) for each in figures],
    }


def _head(
    definition: Definition, figures: Sequence[Marks], compared: Comparisons
) -> Iterator[Block]:
    for key in ("Question", "Expected"):
        if text := definition.head.get(key):
            yield Words([f"{key}: {text}"])
    answers = [
        f"{_title(marks)}: {ablation_answer.sentence(marks, compared[marks.figure.name])}"
        for marks in figures
    ]
    single = ablation_answer.single_seed(figures)
    yield Section("Answer", [Points(answers), *([Words([single])] if single else [])])


def _progress(plan: Plan, entries: Mapping[str, Any], figures: Sequence[Marks]) -> Block:
    """What is missing, refused, or made with other code."""
    states: dict[str, int] = {}
    for cell in plan.cells.values():
        state = ablation_cost.state(entries, cell)
        states[state] = states.get(state, 0) + 1
    done = sum(count for state, count in states.items() if state.startswith(DONE))
    if done == len(plan.cells) and not any(each.missing or each.refused for each in figures):
        words = f"All {quantity(len(plan.cells), 'cell')} are done."
        others = states.get(DONE, 0)
        if others < done:
            words += f" Of these, {done - others} with other code than this one."
        return Words([words], "soft")
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    lack = [f"{_title(marks)}: {each}" for marks in figures for each in _lacks(marks)]
    refused = [f"{_title(marks)}: {each}" for marks in figures for each in marks.refused]
    parts: list[Block] = [
        Words([f"Half finished: of {quantity(len(plan.cells), 'cell')}, {counts}."], "wrong"),
        *([Words(refused, "wrong")] if refused else []),
        Points(lack[:MISSING]) if lack else Words(["No figure lacks a point."], "soft"),
    ]
    if more := lack[MISSING:]:
        parts.append(Fold(f"{len(more)} more", [Points(more)]))
    return Section("What is missing", parts)


def _lacks(marks: Marks) -> Iterator[str]:
    """A sentence for each training, with the places that lack for one reason."""
    places: dict[tuple[str, int, str], list[str]] = {}
    for lack in marks.missing:
        places.setdefault((lack.arm, lack.seed, lack.why), []).append(lack.along)
    for (arm, seed, why), some in places.items():
        is_all = len(some) == len(marks.places) or not any(some)
        where = "" if is_all else f", {marks.parameter} {', '.join(some)}"
        yield f"{arm}, seed {seed}{where}: {why}"


def _figure(
    marks: Marks, comparisons: Sequence[Comparison], definition: Definition, runs: Path
) -> Block:
    """The drawing, what the paper claims, the tables and the samples of a figure."""
    claims = ablation_answer.claims(marks)
    published = [row for claim in claims for row in claim.published]
    parts: list[Block] = []
    drawing = ablation_figure.draw(marks, published)
    if drawing is None:
        parts.append(Words(["Nothing is there to be drawn yet."], "wrong"))
    else:
        parts.append(Drawing(ablation_figure.title(marks), marks.figure.name, drawing))
    for claim in claims:
        parts.append(Words([f"The paper: {claim.sentence()}"]))
    if claims:
        parts.append(Words([_behind(marks, claims, published)], "soft"))
    parts += ablation_table.arms(marks, comparisons, runs)
    parts += ablation_response.blocks(marks)
    by_point = ablation_table.points(marks, runs)
    parts += [Fold("point by point", by_point)] if marks.parameter else by_point
    if not _is_of_trainings(marks):
        parts += ablation_samples.blocks(marks, definition.stages[-1], runs)
    return Section(_title(marks), parts)


def _behind(marks: Marks, claims: Sequence[Claim], published: Sequence[Mapping[str, Any]]) -> str:
    """Which numbers of the paper stand behind our points, and if none, why."""
    metrics = sorted({str(row["metric"]) for row in published})
    if not metrics:
        names = ", ".join(claim.names for claim in claims)
        return f"No number of the paper stands behind our points: it prints none for {names}."
    if marks.scores[0] not in metrics:
        return (
            f"The paper's numbers are of {', '.join(metrics)}, and not shown behind another score."
        )
    return "The paper's numbers are of its own protocol: its data, prompts and networks."


def _is_of_trainings(marks: Marks) -> bool:
    return marks.figure.y.startswith(CURVES)


def _title(marks: Marks) -> str:
    papers = marks.figure.paper
    name = marks.figure.name.replace("_", " ").capitalize()
    kind = "fig. " if len(papers) == 1 else "figs. "
    kind = "" if any(each.startswith("Table") for each in papers) else kind
    return f"{name}, the paper's {kind}{', '.join(papers)}" if papers else name


def _deviations(plan: Plan, runs: Path, deviations: Deviations) -> Iterator[Block]:
    """Of the first training of each arm; seeds change nothing."""
    for stage in plan.definition.stages:
        for arm, cells in ablation_learning.arms(plan, stage).items():
            cell = next(iter(cells.values()))
            settings = run_facts.read(runs / cell.name, cell.name).settings
            block = deviations(f"{stage}: {arm}", settings) if settings else None
            if block is not None:
                yield block


def _protocols(figures: Sequence[Marks]) -> Iterator[Block]:
    """What each hash stands for."""
    known: dict[str, Any] = {}
    for marks in figures:
        known |= {digest: facts for digest, facts in marks.protocols.items() if facts}
    tables = []
    for digest, protocol in known.items():
        rows = [(key, str(value)) for key, value in flatten(dict(protocol)).items()]
        tables.append(Fold(digest, [Table(("decided", "how"), rows)]))
    if tables:
        yield Section("Protocols", tables)
