"""W&B's pages about runs, sweeps and ablations, made by code: which numbers are shown, and where.

Every number of metrics.METRICS has its place on the page of a run. A page is made from run folders
alone; only saving it requires a server and a login. Its outline is printed either way.
"""

import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb
import wandb_workspaces.reports.v2 as panel
import wandb_workspaces.workspaces as page
from omegaconf import DictConfig
from wandb_workspaces import expr

from imagen_lit.basics import chosen_folder, json_file
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import command
from imagen_lit.run import metrics, run_folder, wandb_logger, wandb_report

LEARNING = {
    "validation loss": ("val/loss",),
    "training loss": ("train/loss",),
    "validation loss by time, t0 the cleanest": tuple(
        name for name in metrics.METRICS if name.startswith("val/loss_t")
    ),
    "held-out prompts drawn right, with its interval": tuple(
        f"score/alignment_all{end}" for end in ("", "_low", "_high")
    ),
    "held-out prompts drawn right, by kind": tuple(
        f"score/alignment_{category}" for category in metrics.CATEGORIES
    ),
}
HEALTH = {
    "gradient norm": ("train/grad_norm",),
    "skipped updates": ("train/skipped_updates",),
    "loss without captions / with them, minus 1": ("health/text_gap",),
    "loss with other images' captions / their own, minus 1": ("health/shuffled_gap",),
    "EMA lag": ("health/ema_lag",),
    "super-resolution: the output downsampled, against the small image": ("health/lowres_error",),
    "drift of the mean colour": ("health/channel_drift",),
}
SPEED = {
    "images per second": ("speed/images_per_second",),
    "share of the time spent waiting for data": ("speed/data_wait",),
    "share of what matrix products reach here": ("speed/share_of_peak",),
    "peak memory, GiB": ("speed/memory_gib",),
    "hours left": ("speed/hours_left",),
    "seconds of training so far": (metrics.SECONDS,),
    "FLOPs of training so far": (metrics.FLOPS,),
    "share of the time that previews and their scores take": ("speed/preview_share",),
}
BEST = ("val/loss", "score/alignment_all")  # the metrics that compare the members of a sweep


def of_run(config: Mapping[str, Any], entity: str) -> page.Workspace:
    """The page of one run."""
    sections = [
        page.Section("Does it learn?", panels=_lines(LEARNING), is_open=True),
        page.Section("What does it draw?", panels=[_previews()], is_open=True),
        page.Section("Is it healthy?", panels=_lines(HEALTH), is_open=True),
        page.Section("Is it fast?", panels=_lines(SPEED)),
    ]
    return _page(config, entity, config["name"], expr.Metric("Name") == config["name"], sections)


def of_sweep(configs: Sequence[Mapping[str, Any]], entity: str) -> page.Workspace:
    """The page of the members of one sweep, side by side."""
    (group,) = {wandb_logger.group(config["name"]) for config in configs}
    if group is None:
        raise InputError(
            "the runs have no common name, so they are not a sweep. Set folder=runs/sweep/<name>."
        )
    bars = [panel.BarPlot(title=f"{name}, the last", metrics=[name]) for name in BEST]
    against = [
        panel.ScatterPlot(
            title=f"{name} by {axis}", x=panel.Config(axis), y=panel.SummaryMetric(name)
        )
        for axis in axes(configs)
        for name in BEST
    ]
    sections = [
        page.Section(
            "Which is best?", panels=[*bars, *against, panel.RunComparer(diff_only="split")]
        ),
        page.Section("How do they learn?", panels=_lines(LEARNING)),
        page.Section("What do they draw?", panels=[_previews()]),
        page.Section("Are they healthy?", panels=_lines(HEALTH)),
        page.Section("Are they fast?", panels=_lines(SPEED)),
    ]
    for section in sections[:3]:
        section.is_open = True
    workspace = _page(configs[0], entity, group, expr.Metric("Group") == group, sections)
    workspace.settings.max_runs = len(configs)
    return workspace


def of_ablation(
    facts: Mapping[str, Any], configs: Sequence[Mapping[str, Any]], entity: str
) -> page.Workspace:
    """The page of the trainings of an ablation; `facts` are those of its report.json."""
    names = [config["name"] for config in configs]
    bars = [panel.BarPlot(title=f"{name}, the last", metrics=[name]) for name in BEST]
    sections = [
        page.Section("How do they learn?", panels=_lines(LEARNING), is_open=True),
        page.Section("Which is best?", panels=[*bars, panel.RunComparer(diff_only="split")]),
        page.Section("What do they draw?", panels=[_previews()]),
        page.Section("Are they healthy?", panels=_lines(HEALTH)),
        page.Section("Are they fast?", panels=_lines(SPEED)),
    ]
    title = f"ablation {facts['name']} at scale {facts['scale']}"
    workspace = _page(configs[0], entity, title, expr.Metric("Name").isin(names), sections)
    workspace.settings.max_runs = len(configs)
    return workspace


def axes(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The numeric settings in which members differ; of several that change together, the shortest
    key."""
    flat = [dict(_numbers(config)) for config in configs]
    columns: dict[tuple[Any, ...], str] = {}
    for key in sorted({key for each in flat for key in each}, key=lambda key: (len(key), key)):
        column = tuple(each.get(key) for each in flat)
        if len(set(column)) > 1 and None not in column:
            columns.setdefault(column, key)
    return list(columns.values())


def _numbers(node: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in node.items() if isinstance(node, Mapping) else ():
        if type(value) in (int, float):
            yield f"{prefix}{key}", value
        yield from _numbers(value, f"{prefix}{key}.")


def _lines(panels: Mapping[str, Sequence[str]]) -> list[Any]:
    return [
        panel.LinePlot(title=title, x="images", y=list(names)) for title, names in panels.items()
    ]


def _previews() -> Any:
    return panel.MediaBrowser(
        title="previews: prompts drawn while it trains", media_keys=["preview"], num_columns=1
    )


def _page(
    config: Mapping[str, Any],
    entity: str,
    name: str,
    which: expr.FilterExpr,
    sections: list[page.Section],
) -> page.Workspace:
    return page.Workspace(
        entity=entity,
        project=config["logger"]["project"],
        name=_title(name),
        sections=sections,
        settings=page.WorkspaceSettings(x_axis="images"),
        runset_settings=page.RunsetSettings(
            filters=expr.And(which), pinned_columns=[f"summary:{name}" for name in BEST]
        ),
    )


def _title(name: str) -> str:
    """A page's name may hold no symbol, such as the + of an ablation's run."""
    return "".join("-" if unicodedata.category(letter)[0] == "S" else letter for letter in name)


def spec(workspace: page.Workspace | panel.Report) -> dict[str, Any]:
    """What is sent to the server, as plain Python; W&B's package has no public API for it."""
    return workspace._to_model().model_dump(by_alias=True, exclude_none=True)


def outline(workspace: page.Workspace, names: Collection[str]) -> str:
    """The sections and their panels, in words; `names` are the metrics that the runs have."""
    lines = [f"{workspace.name}: a page of W&B's project {workspace.project}"]
    for section in workspace.sections:
        lines.append(f"  {section.name}")
        for each in section.panels:
            title, shown = getattr(each, "title", "settings that differ"), _shown(each)
            none = ": none yet" if shown and not shown & {*names} else ""
            lines.append(f"    {title}{none}")
    return "\n".join(lines)


def _shown(each: Any) -> set[str]:
    """The metrics of a panel; those that compare settings have none."""
    if isinstance(each, panel.ScatterPlot):
        return {each.y.name} if isinstance(each.y, panel.SummaryMetric) else set()
    lists = [getattr(each, name, None) or [] for name in ("y", "metrics", "media_keys")]
    return {str(name) for names in lists for name in names}


def metric_names(folders: Sequence[Path]) -> set[str]:
    """What the rows of these runs hold."""
    return {name for run in folders for row in metrics.read(run) for name in row}


def runs(folder: Path) -> list[Path]:
    """The run of a folder, or the members of a sweep in it."""
    if run_folder.exists(folder):
        return [folder]
    members = [file.parent for file in sorted(folder.glob("*/config.yaml"))]
    if not members:
        raise InputError(
            f"{folder} has no run. Set folder=... to that of a run, or of a sweep such as "
            "runs/sweep/demo."
        )
    return members


def logged(folder: Path) -> dict[str, Any]:
    """The settings of a run that is logged to W&B."""
    config = run_folder.read_settings(folder)
    if "project" not in config["logger"]:
        raise InputError(
            f"{folder} is not logged to W&B. Set logger=wandb and start the run again."
        )
    return config


@command.main("dashboard")
def main(cfg: DictConfig) -> None:
    """Print the page's outline, and save it if the user is logged in."""
    folder = chosen_folder.of("folder", cfg.folder)
    if cfg.entity is not None and type(cfg.entity) is not str:
        raise InputError(f"entity={cfg.entity} is no W&B name. Set entity=my-team, for example.")
    is_report = (folder / wandb_report.FILE).is_file()
    facts = (
        json_file.read(folder / wandb_report.FILE, "Make the report again.") if is_report else {}
    )
    folders = wandb_report.trainings(folder, facts) if is_report else runs(folder)
    configs = [logged(run) for run in folders]
    logged_in = wandb_logger.login_mode() == "online"
    entity = cfg.entity or configs[0]["logger"]["entity"]
    if logged_in and entity is None:
        entity = wandb.Api().default_entity
    pages: list[page.Workspace | panel.Report] = []
    if is_report:
        workspace = of_ablation(facts, configs, entity or "")
        panels = [*_lines(LEARNING), _previews()]
        pages.append(wandb_report.of_ablation(facts, configs, entity or "", panels))
    elif run_folder.exists(folder):
        workspace = of_run(configs[0], entity or "")
    else:
        workspace = of_sweep(configs, entity or "")
    print(outline(workspace, metric_names(folders)))
    if not logged_in:
        spec(workspace)  # a page that could not be sent is an error here too
        print("not saved: W&B is offline here; after `wandb login`, type the same command again")
        return
    for each in (workspace, *pages):
        each.save()
        print(f"saved: {each.url}")


if __name__ == "__main__":
    main()
