"""Put the scores of several evaluations side by side, with their differences in pairs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from imagen_lit.basics import arguments, chosen_folder
from imagen_lit.basics.atomic import write_text
from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import differing_keys
from imagen_lit.cli import command
from imagen_lit.evaluation import direction
from imagen_lit.evaluation.paired_difference import paired_difference
from imagen_lit.metrics.image_evaluation import NAME
from imagen_lit.metrics.measured import SCORES
from imagen_lit.metrics.system_scores import SystemScores
from imagen_lit.report import figure, protocol_gap, score_grid
from imagen_lit.report.category_bars import category_bars
from imagen_lit.report.parameter_curve import parameter_curve
from imagen_lit.report.protocol_gap import ProtocolGap
from imagen_lit.report.trade_off_curve import trade_off

Row = dict[str, Any]
EXAMPLE = "Set evaluations=[demo/evaluation,demo/earlier], for example."
SHOWN = 12  # evaluations that are named where another is not there
WIDTH = 100  # of the table in a terminal, in columns


def rows_of(systems: Sequence[SystemScores], stage: str | None) -> list[tuple[SystemScores, Row]]:
    """The totals of a stage, of each system; of the last one, where none is named, and of images
    that no cascade drew."""
    chosen = []
    for system in systems:
        name = system.stages[-1] if stage is None or system.stages == [NAME] else stage
        if name not in system.stages:
            raise InputError(
                f"{system.name} has no stage {name}. Set only_stage=... to one of its stages: "
                f"{', '.join(system.stages)}."
            )
        chosen += [(system, row) for row in system.of_stage(name)]
    return chosen


def comparable(
    rows: Sequence[tuple[SystemScores, Row]], systems: int, only: Sequence[str] | None
) -> tuple[list[tuple[SystemScores, Row]], list[str]]:
    """The rows whose metric every system has with the same protocol, and a line for each reason why
    others that all of them have, or that `only` names, are left out."""
    by_hash: dict[tuple[str, str], list[tuple[SystemScores, Row]]] = {}
    for system, row in rows:
        if only is None or row["metric"] in only:
            by_hash.setdefault((row["metric"], row["protocol"]), []).append((system, row))
    shared = {key: pairs for key, pairs in by_hash.items() if len(pairs) == systems}
    names = [name for name, _ in shared]
    apart, lacking = [], []
    for metric in dict.fromkeys(name for name, _ in by_hash):
        pairs = [pair for key, some in by_hash.items() if key[0] == metric for pair in some]
        if metric in names:
            continue
        if len({system.name for system, _ in pairs}) < systems:
            lacking.append(f"{metric} is left out: of {systems} evaluations {_having(pairs)} it")
            continue
        (first, its), *others = pairs
        others = [pair for pair in others if pair[1]["protocol"] != its["protocol"]]
        other, row = next((pair for pair in others if pair[0] is not first), others[0])
        facts = (each.protocols[r["protocol"]] for each, r in ((first, its), (other, row)))
        apart.append(ProtocolGap(metric, first.name, next(facts), other.name, next(facts)))
    return [
        (system, row | {"metric": metric if names.count(metric) == 1 else f"{metric}@{digest}"})
        for (metric, digest), pairs in shared.items()
        for system, row in pairs
    ], [*protocol_gap.lines(apart), *(lacking if only is not None else [])]


def _having(pairs: Sequence[tuple[SystemScores, Row]]) -> str:
    names = list(dict.fromkeys(system.name for system, _ in pairs))
    return f"only {', '.join(names)} {'has' if len(names) == 1 else 'have'}"


def chosen_scores(only: Any, rows: Sequence[tuple[SystemScores, Row]]) -> Sequence[str] | None:
    """The names that `only` gives, one or a list; a name that no evaluation has is refused."""
    if only is None:
        return None
    names = [only] if isinstance(only, str) else list(map(str, only))
    known = list(dict.fromkeys(row["metric"] for _, row in rows))
    for name in names:
        if name not in known:
            raise InputError(
                f"no evaluation has a score {name}{did_you_mean(name, known)}. "
                f"Set only=[...] to some of: {', '.join(known)}."
            )
    return names


def refuse_alike(systems: Sequence[SystemScores], cfg: DictConfig) -> None:
    """Raise if two evaluations would be one point of the figure, or are one."""
    keys = [key for key in (cfg.series, cfg.parameter) if key is not None and cfg.parameter]
    places: dict[Any, SystemScores] = {}
    for system in systems:
        place = [str(_setting(system, key)) for key in keys] or [system.name]
        other = places.setdefault(tuple(place), system)
        if other is system:
            continue
        if not keys or other.name == system.name:
            raise InputError(
                f"{system.name} is named twice. Name each evaluation once in evaluations=[...]."
            )
        apart = differing_keys(other.settings, system.settings)
        apart = [key for key in apart if key not in keys][:3]
        raise InputError(
            f"{other.name} and {system.name} have the same {' and '.join(keys)} "
            f"({', '.join(place)}). Set series=... to a setting that tells them apart: "
            f"{', '.join(apart) or 'none differs'}."
        )


def stage_line(systems: Sequence[SystemScores], only_stage: str | None) -> str:
    """Whose scores are shown, where an evaluation has those of several stages."""
    several = next((each for each in systems if len(each.stages) > 1), None)
    if several is None:
        return ""
    shown = only_stage or several.stages[-1]
    others = [f"only_stage={name}" for name in several.stages if name != shown]
    return f"scores of the stage {shown}; {', '.join(others)} shows another's\n"


def differences(rows: Sequence[tuple[SystemScores, Row]]) -> Iterator[str]:
    """A sentence for each metric and each system but the first, beside the first."""
    for metric in dict.fromkeys(row["metric"] for _, row in rows):
        (first, its), *others = [(s, row) for s, row in rows if row["metric"] == metric]
        better = direction.is_higher_better(metric.partition("@")[0])
        for other, row in others:
            pair = first.image_scores(its, other), other.image_scores(row, first)
            if pair[0] is None or pair[1] is None:
                continue
            result = paired_difference(*pair, better is not False)  # type: ignore[arg-type]
            words = result.sentence()
            if better is None:  # neither way is better
                words = words.replace(f"{result.winner} is better", "they differ")
            yield f"{metric}: {words}"


def labelled(system: SystemScores, row: Row, cfg: DictConfig) -> Row:
    """A row for tables and figures, with the settings that a figure is drawn over."""
    labels: Row = {"system": system.name}
    if cfg.parameter is not None:
        labels |= {"system": _setting(system, cfg.series) if cfg.series else "all"}
        labels[_short(cfg.parameter)] = _setting(system, cfg.parameter)
    return labels | {key: value for key, value in row.items() if key != "stage"}


def _short(key: str) -> str:
    return key.rpartition(".")[2]


def _setting(system: SystemScores, key: str) -> Any:
    at = [k for k in system.settings if k == key or k.endswith(f".{key}") or f".{key}." in k]
    if not at:
        raise InputError(
            f"the evaluation {system.name} has no setting {key}. Choose one that its "
            f"{SCORES} has under provenance, such as {next(iter(system.settings), 'none')}."
        )
    values = [str(system.settings[k]).rpartition(".")[2] for k in at if k.endswith("_target_")]
    return values[0] if values else system.settings[at[0]]


def folders(cfg: DictConfig) -> list[tuple[str, Path]]:
    """Name and folder of each evaluation; of a folder of them, all."""
    if OmegaConf.is_missing(cfg, "evaluations"):
        raise InputError(f"nothing says which evaluations to compare. {EXAMPLE}")
    names = cfg.evaluations
    if not isinstance(names, ListConfig) or not names:
        raise InputError(f"evaluations={names} is no list of names. {EXAMPLE}")
    root = chosen_folder.of("runs", cfg.runs)
    places = []
    for name in map(str, names):
        if (root / name / SCORES).is_file():
            places.append((name, root / name))
            continue
        below = sorted(file.parent for file in (root / name).rglob(SCORES))
        if not below:
            raise InputError(f"there is no evaluation in {root / name}. {_others(root, name)}")
        places += [(folder.relative_to(root).as_posix(), folder) for folder in below]
    return places


def _others(root: Path, name: str) -> str:
    there = sorted(file.parent.relative_to(root).as_posix() for file in root.rglob(SCORES))
    if not there:
        return f"Type evaluate first: nothing in {root} has been evaluated."
    more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
    return f"Name one of {', '.join(there[:SHOWN])}{more}{did_you_mean(name, there)}."


def write(
    folder: Path, table: score_grid.ScoreGrid, sentences: Sequence[str], drawings: dict[str, Any]
) -> None:
    """The table in three forms, the sentences below the first, and each figure as PNG and SVG."""
    chosen_folder.require_writable("out", folder, folder)
    text = "\n\n".join([score_grid.markdown(table), *(f"- {each}" for each in sentences)])
    write_text(folder / "comparison.md", f"{text}\n")
    write_text(folder / "comparison.csv", score_grid.comma_separated(table))
    write_text(folder / "comparison.tex", score_grid.latex(table))
    for name, drawing in drawings.items():
        for suffix in ("png", "svg"):
            figure.write(drawing, folder / f"{name}.{suffix}")


@command.main("compare")
def main(cfg: DictConfig) -> None:
    """Print the table and the differences; with `out`, write them with figures."""
    if (cfg.x is None) != (cfg.y is None):
        raise InputError("a figure needs both x and y. Set x=clip_score y=fd, for example.")
    if cfg.x is not None and cfg.parameter is None:
        raise InputError(
            "nothing tells the points of the figure apart. "
            "Set parameter=cascade.base.recipe.guidance.weight, for example."
        )
    out = None if cfg.out is None else arguments.path("out", cfg.out)
    systems = [SystemScores.read(folder, name) for name, folder in folders(cfg)]
    refuse_alike(systems, cfg)
    rows = rows_of(systems, cfg.only_stage)
    rows, reasons = comparable(rows, len(systems), chosen_scores(cfg.only, rows))
    if not rows:
        print("\n".join(reasons))
        raise InputError(
            "the evaluations have no score of one protocol in common. Type evaluate again, with "
            "the same metrics, prompts and number of images for each."
        )
    protocols = {k: v for system in systems for k, v in system.protocols.items()}
    chosen = [labelled(system, row, cfg) for system, row in rows]
    metrics = list(dict.fromkeys(row["metric"] for _, row in rows))
    table = score_grid.grid(chosen, protocols)
    sentences = list(differences(rows)) if cfg.parameter is None else []
    if line := stage_line(systems, cfg.only_stage):
        print(line)
    print(score_grid.blocks(table, WIDTH))
    print("\n".join(["", *sentences, *reasons]))
    parameter = None if cfg.parameter is None else _short(cfg.parameter)
    if parameter is None:
        drawings = {name: category_bars(chosen, protocols, name) for name in metrics}
    elif cfg.x is None:
        drawings = {name: parameter_curve(chosen, protocols, name, parameter) for name in metrics}
    else:
        drawings = {f"{cfg.y}_{cfg.x}": trade_off(chosen, protocols, cfg.x, cfg.y, parameter)}
    if out is not None:
        write(out, table, sentences, drawings)
        print(f"tables and figures are in {out}")


if __name__ == "__main__":
    main()
