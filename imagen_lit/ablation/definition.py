"""What the file of an ablation says, at one scale.

`sweeps/ablation/<name>.yaml` holds the question, the arms and the figures, and
`sweeps/scale/<scale>.yaml` what all ablations at that scale share. The law: first the scale, over
it the ablation's file, over that its part `scales.<scale>`, over that the command line.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

from imagen_lit.ablation import axis, misspelling
from imagen_lit.ablation.axis import Axis
from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import assets

EVALUATE = "evaluate"
# Settings of `evaluate` that measure images and do not change them.
MEASURES = {"metrics", "features", "features@text_features", "text_features"}
MEASURES |= {"image_set@reference", "reference"}
HEAD = ("Question", "Expected", "Cost", "Command")  # of the comment that a file begins with
OF_SCALE = ("cascades", "train", "evaluate", "data", "seeds", "scores", "settings")
OF_ABLATION = ("arms", "stages", "figures", "scales")
OF_FIGURE = ("paper", "points", "x", "y", "line")


@dataclass(frozen=True)
class Figure:
    """`paper`: the figures that it redraws. `points`: the axes along which one cascade is drawn.
    `x`, `y`: a score, an axis, or images, seconds, flops; `line`: the axis that tells lines
    apart."""

    name: str
    paper: tuple[str, ...]
    points: tuple[Axis, ...]
    x: str
    y: str
    line: str | None


@dataclass(frozen=True)
class Definition:
    """`stages`: those that take part, in order; `settings`: what trains each; `cascades`: settings
    of `evaluate` by the last stage that is drawn; `scores`: which metric a figure's word means.
    `usual`: what the scale alone says for each stage and for `evaluate`, beside which cells are
    named."""

    name: str
    scale: str
    head: Mapping[str, str]
    stages: tuple[str, ...]
    settings: Mapping[str, Mapping[str, Any]]
    cascades: Mapping[str, Mapping[str, Any]]
    train: Mapping[str, Any]
    evaluate: Mapping[str, Any]
    data: Mapping[str, Any] | None
    seeds: tuple[int, ...]
    arms: tuple[Axis, ...]
    figures: tuple[Figure, ...]
    scores: Mapping[str, str]
    usual: Mapping[str, Mapping[str, Any]]


def names() -> list[str]:
    """Every ablation, the user's in sweeps/ablation/ of the working directory included."""
    return sorted({file.stem for folder in _folders("ablation") for file in folder.glob("*.yaml")})


def scales() -> list[str]:
    """Every scale."""
    return sorted({file.stem for folder in _folders("scale") for file in folder.glob("*.yaml")})


def at_scale(scale: str) -> list[Definition]:
    """Every ablation that can be read; the command of another says what is wrong with it."""
    found = []
    for name in names():
        with suppress(InputError):
            found.append(read(name, scale))
    return found


def read(
    name: str,
    scale: str,
    changes: Mapping[str, Any] | None = None,
    only: Mapping[str, Sequence[str]] | None = None,
) -> Definition:
    """The ablation `name` at a scale; `changes` are those of the command line, merged last. `only`:
    labels by axis, of the arms to which it is restricted."""
    file, shared_file = _file("ablation", name, names()), _file("scale", scale, scales())
    own, shared = _load(file), _load(shared_file)
    # Of a scale: what trains each of its stages.
    shared["settings"] = {s: each or {} for s, each in (shared.pop("stages", None) or {}).items()}
    _refuse_unknown(shared, (*OF_SCALE,), str(shared_file))
    _refuse_unknown(own, (*OF_ABLATION, *OF_SCALE), str(file))
    at_scale = (own.pop("scales", None) or {}).get(scale) or {}
    _refuse_unknown(at_scale, (*OF_ABLATION, *OF_SCALE), f"{file}, scales.{scale}")
    usual = _merged(shared)
    where = f"{file} at scale={scale}"
    typed, of_files = changes or {}, _merged(shared, own, at_scale)
    misspelling.refuse_names(typed, of_files, where)
    node = _merged(of_files, typed)
    _require(node, ("stages", "figures", "cascades", "scores"), where)
    stages = tuple(node["stages"])
    trained = list(usual["settings"])
    for stage in (*stages, *node["settings"]):
        if stage not in trained:
            raise InputError(
                f"{where}: the stage {stage} is not one that this scale trains"
                f"{did_you_mean(stage, trained)}. Choose from {', '.join(trained)}."
            )
    allowed = (*stages, EVALUATE)
    named = (node.get("arms") or {}).items()
    arms = tuple(axis.read(n, each, stages, allowed, where) for n, each in named)
    arms = _restricted(arms, only or {}, where)
    misspelling.refuse_scores(node["figures"], [each.name for each in arms], node["scores"], where)
    _refuse_other_shards(node, where)
    return Definition(
        name,
        scale,
        head(file),
        stages,
        {stage: node["settings"][stage] for stage in stages},
        {stage: node["cascades"].get(stage) or {} for stage in stages},
        node.get("train") or {},
        node.get("evaluate") or {},
        node.get("data"),
        _seeds(node.get("seeds"), where),
        arms,
        tuple(_figure(n, each, arms, where) for n, each in node["figures"].items()),
        node["scores"],
        {
            **{s: {**usual["settings"][s], **(usual.get("train") or {})} for s in stages},
            EVALUATE: usual.get(EVALUATE) or {},
        },
    )


def head(file: Path) -> dict[str, str]:
    """Question, Expected, Cost and Command, from the comment at the top of a file."""
    found: dict[str, str] = {}
    key = ""
    for line in file.read_text().splitlines():
        if not line.startswith("#"):
            break
        first, mark, rest = line.lstrip("# ").partition("·")
        if mark and first.strip() in HEAD:
            key, found[first.strip()] = first.strip(), rest.strip()
        elif key:
            found[key] += f" {line.lstrip('# ').strip()}"
    return found


def _refuse_other_shards(node: Mapping[str, Any], where: str) -> None:
    """Trainings read the shards that are made for them, where some are."""
    trained = (node.get("train") or {}).get("data.shards")
    made = (node.get("data") or {}).get("folder")
    if None not in (trained, made) and trained != made:
        raise InputError(
            f"{where} trains on train.data.shards={trained}, and makes shards in {made}. Set "
            f"data.folder={trained} too, which are made if they are not there."
        )


def _restricted(
    arms: Sequence[Axis], only: Mapping[str, Sequence[str]], where: str
) -> tuple[Axis, ...]:
    names = {each.name: [choice.label for choice in each.choices] for each in arms}
    for name, labels in only.items():
        if name not in names:
            raise InputError(
                f"{where} has no arms by {name}{did_you_mean(name, names)}. "
                f"Set only.<axis>=[...] for one of {', '.join(names)}."
            )
        if not labels:
            raise InputError(
                f"only.{name}=[] leaves no arm. Choose from {', '.join(names[name])}, or leave it "
                "out for all of them."
            )
        if unknown := [label for label in labels if label not in names[name]]:
            raise InputError(
                f"{where}: {name} has no arm {unknown[0]}{did_you_mean(unknown[0], names[name])}. "
                f"Choose from {', '.join(names[name])}."
            )
    return tuple(
        Axis(each.name, tuple(c for c in each.choices if c.label in only[each.name]))
        if each.name in only
        else each
        for each in arms
    )


def _figure(name: str, node: Any, arms: Sequence[Axis], where: str) -> Figure:
    where = f"{where}: the figure {name}"
    _refuse_unknown(node, OF_FIGURE, where)
    _require(node, ("x", "y"), where)
    points = node.get("points") or {}
    axes = tuple(axis.read(n, a, (EVALUATE,), (EVALUATE,), where) for n, a in points.items())
    line = node.get("line")
    lines = [each.name for each in (*arms, *axes)]
    if line is not None and line not in lines:
        raise InputError(
            f"{where} has line: {line}{did_you_mean(line, lines)}. Choose from {', '.join(lines)}."
        )
    papers = tuple(map(str, node.get("paper") or ()))
    return Figure(name, papers, axes, str(node["x"]), str(node["y"]), line)


def _folders(kind: str) -> list[Path]:
    folders = (Path.cwd() / "sweeps" / kind, assets.root() / "sweeps" / kind)
    return [each for each in dict.fromkeys(folders) if each.is_dir()]


def _file(kind: str, name: str, there: Sequence[str]) -> Path:
    files = [f for folder in _folders(kind) if (f := folder / f"{name}.yaml").is_file()]
    if "/" in name or not files:
        raise InputError(
            f"there is no {kind} {name!r}{did_you_mean(name, there)}. "
            f"Choose from {', '.join(there)}."
        )
    if len(files) > 1 and files[0].read_bytes() != files[1].read_bytes():
        raise InputError(
            f"{files[0]} has the name of one of the project's own, with other content: two {kind}s "
            f"of one name would share their results. Rename it to {kind}s of your own."
        )
    return files[0]


def _load(file: Path) -> dict[str, Any]:
    try:
        node = OmegaConf.to_container(OmegaConf.load(file))
    except (YAMLError, ValueError) as error:
        raise InputError(f"{file} is not valid YAML: {error}. Correct the file.") from error
    if not isinstance(node, dict):
        raise InputError(f"{file} holds no settings. Write keys and values into it.")
    return {str(key): value for key, value in node.items()}


def _merged(*nodes: Mapping[str, Any]) -> dict[str, Any]:
    """The later over the earlier, mapping by mapping; a list or value replaces the one before."""
    result: dict[str, Any] = {}
    for node in nodes:
        for key, value in node.items():
            both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
            result[key] = _merged(result[key], value) if both else value
    return result


def _refuse_unknown(node: Any, allowed: Sequence[str], where: str) -> None:
    keys = list(node) if isinstance(node, Mapping) else []
    if not isinstance(node, Mapping):
        raise InputError(f"{where} is {node!r}. Write a mapping of {', '.join(allowed)}.")
    for key in keys:
        if key not in allowed:
            raise InputError(
                f"{where} has the key {key}{did_you_mean(key, allowed)}. "
                f"Choose from {', '.join(allowed)}."
            )


def _require(node: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in keys:
        if not node.get(key):
            raise InputError(f"{where} says nothing of {key}. Add {key}.")


def _seeds(seeds: Any, where: str) -> tuple[int, ...]:
    is_list = isinstance(seeds, list) and seeds and all(type(seed) is int for seed in seeds)
    if not is_list or len(set(seeds)) < len(seeds):
        raise InputError(f"{where} has seeds: {seeds}. Write whole numbers, each once: [0, 1, 2].")
    return tuple(seeds)
