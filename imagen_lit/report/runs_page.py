"""The page of all runs below a folder: a list, then each run, group by group."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from imagen_lit.basics.short_form import quantity
from imagen_lit.report import (
    differing_settings,
    measured_table,
    page,
    run_columns,
    run_curves,
    run_section,
    score_bars,
    score_table,
)
from imagen_lit.run.evaluation_facts import EvaluationFacts
from imagen_lit.run.run_facts import RunFacts
from imagen_lit.run.run_search import Listing

KIND = "runs"
COMPARABLE = range(2, 9)  # so many runs of one kind are drawn into one figure


def write(file: Path, listing: Listing, root: Path, now: float) -> None:
    """Write the page to `file`; `root` is the folder that was searched."""
    places = {run.name: f"run{number}" for number, run in enumerate(listing.runs)}
    differences = differing_settings.differences(listing.runs)
    states = Counter(run.state.word for run in listing.runs).most_common()
    counts = ", ".join(f"{count} {word}" for word, count in states)
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(now))
    number = quantity(len(listing.runs), "run")
    body = [
        page.head("Runs", f"{number} below {root}/: {counts}. As of {at}."),
        *(f'<p class="wrong">{escape(note)}</p>' for note in listing.notes),
        _list(listing, places, root, now),
    ]
    for group, runs in groups(listing).items():
        body.append(
            f"<h2>{escape(f'{root}/{group}')}</h2>{_group(group, runs, listing, file, root)}"
        )
        for run in runs:
            body.append(
                run_section.html(
                    run,
                    places[run.name],
                    differences[run.name],
                    listing.by_run.get(run.name, ()),
                    listing.sheets.get(run.name, ()),
                    file.parent,
                    now,
                )
            )
    page.write(file, KIND, f"Runs below {root}", body)


def groups(listing: Listing) -> Mapping[str, Sequence[RunFacts]]:
    """The runs by group; then the groups that hold evaluations or samples alone."""
    names = {run.name for run in listing.runs}
    others = [each.group for each in listing.evaluations]
    others += [owner for owner in listing.sheets if owner not in names]
    return {**listing.groups(), **{name: [] for name in others if name not in listing.groups()}}


def _list(listing: Listing, places: Mapping[str, str], root: Path, now: float) -> str:
    lines, rows = [], []
    for group, runs in listing.groups().items():
        width = 1 + len(run_columns.COLUMNS)
        title = escape(f"{root}/{group}")
        lines.append(f'<tr class="group"><th colspan="{width}">{title}</th></tr>')
        for run in runs:
            texts = run_columns.columns(run, listing.by_run.get(run.name, ()), now)
            rows.append(texts)
            cells = "".join(
                f'<td data-label="{name}">{escape(texts[name])}</td>'
                for name in run_columns.COLUMNS[1:]
            )
            last = escape(run.name.rpartition("/")[2])
            lines.append(
                f'<tr><td><a href="#{places[run.name]}">{last}</a></td>'
                f"<td>{run_section.state(run)}</td>{cells}</tr>"
            )
    heads = "".join(f"<th>{name}</th>" for name in ("run", *run_columns.COLUMNS))
    table = f'<table class="runs"><tr class="head">{heads}</tr>{"".join(lines)}</table>'
    return f'{table}<p class="soft">{run_columns.legend(rows)}</p>'


def _group(group: str, runs: Sequence[RunFacts], listing: Listing, file: Path, root: Path) -> str:
    """What concerns the runs of a group together."""
    parts = []
    own = root / group / "index.html"
    if group and own.is_file() and own.resolve() != file.resolve():
        where = page.address(own, file.parent)
        parts.append(f'<p><a href="{where}">the page of {escape(group)}</a></p>')
    kinds: dict[tuple[str, ...], list[RunFacts]] = {}
    for run in runs:
        if "val/loss" in run.series:
            kinds.setdefault(differing_settings.kind(run), []).append(run)
    figures = [run_curves.comparison(each) for each in kinds.values() if len(each) in COMPARABLE]
    parts.append(f'<div class="plots">{"".join(figures)}</div>' if figures else "")
    for evaluation in listing.evaluations:
        if evaluation.group == group:
            parts.append(_evaluation(evaluation, file.parent))
    if group not in {run.name for run in listing.runs}:
        parts.append(run_section.sheets(listing.sheets.get(group, ()), file.parent))
    return "".join(parts)


def _evaluation(evaluation: EvaluationFacts, folder: Path) -> str:
    """The scores, and what was drawn: to be opened where there are scores."""
    html = f"<h3>{escape(evaluation.name)}</h3>"
    measured = measured_table.html(evaluation.rows, evaluation.protocols, evaluation.scores)
    if evaluation.scores:
        html += score_table.html(evaluation.scores)
    elif not measured:
        html += "<p>not scored</p>"
    bars = score_bars.html([(row["stage"], row) for row in evaluation.rows], evaluation.protocols)
    html += bars + measured
    if evaluation.sheet is not None:
        image = page.image(evaluation.sheet, folder, "prompts, drawn")
        html += (
            f"<details{'' if evaluation.scores else ' open'}><summary>{evaluation.prompts:,} "
            f'prompts, drawn</summary><div class="sheets">{image}</div></details>'
        )
    return html
