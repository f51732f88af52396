"""The report of an ablation as one of W&B's, made by code: what the page beside the runs says in
words, with the curves of W&B below."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb_workspaces.reports.v2 as panel
from wandb_workspaces import expr

from imagen_lit.basics.errors import InputError
from imagen_lit.run import run_folder

FILE = "report.json"  # beside an ablation's report (imagen_lit/report/ablation_report.py)
HEAD = ("Question", "Expected")


def of_ablation(
    facts: Mapping[str, Any],
    configs: Sequence[Mapping[str, Any]],
    entity: str,
    panels: Sequence[Any],
) -> panel.Report:
    """Question, answers, and these panels over a set of runs for each arm; `facts` are those of
    report.json, `configs` the settings of the trainings that are logged."""
    project = configs[0]["logger"]["project"]
    arms: dict[str, list[str]] = {}
    for config in configs:
        arms.setdefault(facts["trainings"][config["name"]], []).append(config["name"])
    sets = [
        panel.Runset(entity, project, name=arm, filters=expr.And(expr.Metric("Name").isin(names)))
        for arm, names in arms.items()
    ]
    head = [panel.P(f"{key}: {facts['head'][key]}") for key in HEAD if key in facts["head"]]
    answers: list[Any] = [str(figure["answer"]) for figure in facts["figures"]]
    notes = [facts["single_seed"], f"{facts['done']} of {facts['cells']} cells are done."]
    return panel.Report(
        project,
        entity,
        f"Ablation {facts['name']}, scale={facts['scale']}",
        blocks=[
            *head,
            panel.H2("Answer"),
            panel.UnorderedList(answers),
            *(panel.P(note) for note in notes if note),
            panel.H2("How they learnt"),
            panel.PanelGrid(runsets=sets, panels=list(panels)),
        ],
    )


def trainings(folder: Path, facts: Mapping[str, Any]) -> list[Path]:
    """Of the ablation whose report lies in a folder, the trainings that have begun."""
    home = folder.resolve().parents[3]  # runs/ablation/<scale>/reports/<name>
    found = [home / name for name in facts["trainings"] if run_folder.exists(home / name)]
    if not found:
        raise InputError(
            f"{folder} is the report of an ablation of which no training has begun. "
            "Type ablate with its name first."
        )
    return found
