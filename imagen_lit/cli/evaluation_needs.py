"""What an evaluation cannot do without, as far as the config tells before anything is imported that
takes seconds: a reference, runs, weights, and files. All else is checked where it is used.
"""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics.errors import InputError

# The metrics that compare with a reference; tests/cli/test_evaluation_needs.py holds it to them.
COMPARING: tuple[str, ...] = (
    "fd",
    "fd_infinity",
    "kid",
    "cmmd",
    "precision_recall",
    "density_coverage",
)
COMPARING += ("nearest_training",)
FILES = {  # of the public lists of prompts, by the class that reads them
    "DrawBench": "the sheet of DrawBench as .csv, with the columns Prompts and Category",
    "CocoCaptions": "captions_val2014.json",
    "TextFile": "a text, with a prompt on each line",
    "PromptTable": "a table (.csv, .tsv, .jsonl, .parquet), such as PartiPrompts.tsv or GenEval's "
    "evaluation_metadata.jsonl",
}
STAGE_FILES = ("config.yaml", "config.json", "unet/config.json")  # imagen_lit/run/saved_stage.py
OF_GAUSSIANS = ("fd", "fd_infinity")  # which need no more of a reference than its statistics


def refuse_lack(cfg: DictConfig) -> None:
    """Raise for the first thing that this evaluation lacks."""
    for name in cfg.metrics:
        if name in COMPARING and cfg.get("reference") is None:
            raise InputError(
                f"{name} compares with a reference, and there is none. Set "
                f"image_set@reference=folder reference.path=..., for example, or leave {name} out "
                "of metrics."
            )
        if name in COMPARING and name not in OF_GAUSSIANS and _is_statistics(cfg.get("reference")):
            raise InputError(
                f"{name} compares with the images of a reference one by one, and statistics are "
                "only their mean and covariance. Set image_set@reference=folder "
                "reference.path=..., for example, or measure fd, which needs no more: metrics=[fd]."
            )
    for key in ("images.path", "reference.path", "start.path"):
        _refuse_missing(key, cfg, "images, or of their statistics")
    if cfg.get("images") is None:
        for name in _drawn(cfg):
            _refuse_missing_run(name, Path(str(cfg.cascade[name].run)))
        if cfg.get("start") is None:
            _refuse_no_file(cfg)
            _refuse_missing("prompts.path", cfg, "prompts")
            _refuse_empty(_path("prompts.path", cfg))
    for name in cfg.metrics:
        _refuse_missing_weights(str(name), cfg)


def _is_statistics(reference: Any) -> bool:
    return isinstance(reference, DictConfig) and str(reference.get("_target_")).endswith(
        ".StatisticsFile"
    )


def _drawn(cfg: DictConfig) -> list[str]:
    """The stages that are drawn; of names that are no stage, all: the command refuses them."""
    stages = [
        str(name)
        for name, stage in cfg.cascade.items()
        if isinstance(stage, DictConfig) and "run" in stage
    ]
    begin, end = cfg.get("start_at"), cfg.get("stop_after")
    first = stages.index(begin) if begin in stages else int(cfg.get("start_from") is not None)
    last = stages.index(end) + 1 if end in stages else len(stages)
    return stages[first:last]


def _path(key: str, cfg: DictConfig) -> Path | None:
    """The path that was set there; None where there is no such key, or no value yet."""
    group = cfg.get(key.partition(".")[0])
    if not isinstance(group, DictConfig) or OmegaConf.is_missing(group, "path"):
        return None
    path: Any = group.get("path")
    return Path(path) if isinstance(path, str) else None


def _refuse_missing(key: str, cfg: DictConfig, content: str) -> None:
    path = _path(key, cfg)
    if path is not None and not path.exists():
        raise InputError(f"there is no {path}. Set {key}=... to the place of your {content}.")


def _refuse_no_file(cfg: DictConfig) -> None:
    """Raise if prompts come from a file, and none is named."""
    prompts = cfg.get("prompts")
    if not isinstance(prompts, DictConfig) or not OmegaConf.is_missing(prompts, "path"):
        return
    content = FILES.get(str(prompts.get("_target_")).rpartition(".")[2], "the file of your prompts")
    raise InputError(
        f"these prompts come from a file, and none is named. Set prompts.path=... to {content}; "
        "docs/drawing.md has them all."
    )


def _refuse_empty(path: Path | None) -> None:
    if path is not None and path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path} is empty: it holds no prompts. Write one per line into it.")


def _refuse_missing_run(stage: str, run: Path) -> None:
    if not any((run / name).is_file() for name in STAGE_FILES):
        raise InputError(
            f"there is no run in {run}, with which stage {stage!r} draws. Train that stage first "
            "(make demo trains the demo's; docs/deepfloyd_if.md says how published weights get "
            f"there), or name the folder of another run with cascade.{stage}.run=..."
        )


def _refuse_missing_weights(metric: str, cfg: DictConfig) -> None:
    node = OmegaConf.to_container(cfg.metrics[metric])  # as it is written: extractor: ${features}
    key = str(node.get("extractor", "")) if isinstance(node, dict) else ""
    if not key.startswith("${"):
        return
    key = key.strip("${}")
    path = _path(f"{key}.path", cfg)
    if path is None or path.exists():
        return
    command = cfg[key].get("make_command")
    cure = f"Make them with: {command}." if command else f"Set {key}.path=... to them."
    raise InputError(
        f"the weights with which {metric} looks at images are not there: there is no {path}. {cure}"
    )
