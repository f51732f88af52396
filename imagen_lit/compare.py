"""Put the scores of several evaluations side by side, with their differences in pairs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig

from imagen_lit.basics import arguments, chosen_folder
from imagen_lit.basics.atomic import write_text
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import flatten, settings_diff
from imagen_lit.cli import command
from imagen_lit.evaluation import direction
from imagen_lit.evaluation.paired_difference import paired_difference
from imagen_lit.metrics.image_evaluation import NAME
from imagen_lit.metrics.measured import SCORES
from imagen_lit.metrics.system_scores import SystemScores
from imagen_lit.report import category_bars, figure, score_grid
from imagen_lit.report.trade_off_curve import trade_off

Row = dict[str, Any]
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
    """The rows whose metric every system has with the same protocol, and a sentence for each other
    metric that all of them have."""
    by_hash: dict[tuple[str, str], list[tuple[SystemScores, Row]]] = {}
    for system, row in rows:
        if only is None or row["metric"] in only:
            by_hash.setdefault((row["metric"], row["protocol"]), []).append((system, row))
    shared = {key: pairs for key, pairs in by_hash.items() if len(pairs) == systems}
    reasons = []
    for metric in dict.fromkeys(name for name, _ in by_hash):
        pairs = [pair for key, some in by_hash.items() if key[0] == metric for pair in some]
        if metric in {name for name, _ in shared} or len({s.name for s, _ in pairs}) < systems:
            continue
        (first, its), (other, row) = pairs[0], next(p for p in pairs if p[0] is not pairs[0][0])
        facts = (flatten(each.protocols[r["protocol"]]) for each, r in ((first, its), (other, row)))
        difference = settings_diff(*facts)
        reasons.append(f"{metric} is left out: {first.name} (there), {other.name}: {difference}")
    names = [name for name, _ in shared]
    return [
        (system, row | {"metric": metric if names.count(metric) == 1 else f"{metric}@{digest}"})
        for (metric, digest), pairs in shared.items()
        for system, row in pairs
    ], reasons


def differences(rows: Sequence[tuple[SystemScores, Row]]) -> Iterator[str]:
    """A sentence for each metric and each system but the first, beside the first."""
    for metric in dict.fromkeys(row["metric"] for _, row in rows):
        (first, its), *others = [(s, row) for s, row in rows if row["metric"] == metric]
        better = direction.is_higher_better(metric.partition("@")[0])
        for other, row in others:
            pair = first.image_scores(its), other.image_scores(row)
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
    names = cfg.evaluations
    if not isinstance(names, ListConfig) or not names:
        raise InputError(
            f"evaluations={names} is no list of names. "
            "Set evaluations=[demo/evaluation,demo/earlier], for example."
        )
    root = chosen_folder.of("runs", cfg.runs)
    places = []
    for name in map(str, names):
        if (root / name / SCORES).is_file():
            places.append((name, root / name))
            continue
        below = sorted(file.parent for file in (root / name).rglob(SCORES))
        if not below:
            raise InputError(f"there is no evaluation in {root / name}. Name one with {SCORES}.")
        places += [(folder.relative_to(root).as_posix(), folder) for folder in below]
    return places


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
    rows = rows_of(systems, cfg.only_stage)
    rows, reasons = comparable(rows, len(systems), cfg.only)
    if not rows:
        raise InputError(
            f"the evaluations have no score of one protocol in common. {' '.join(reasons)} "
            "Type evaluate again, with the same metrics and prompts for each."
        )
    protocols = {k: v for system in systems for k, v in system.protocols.items()}
    chosen = [labelled(system, row, cfg) for system, row in rows]
    metrics = list(dict.fromkeys(row["metric"] for _, row in rows))
    table = score_grid.grid(chosen, protocols)
    sentences = list(differences(rows)) if cfg.parameter is None else []
    print(score_grid.blocks(table, WIDTH))
    print("\n".join(["", *sentences, *reasons]))
    drawings = {name: category_bars.category_bars(chosen, protocols, name) for name in metrics}
    if cfg.x is not None:
        name = _short(cfg.parameter)
        drawings = {f"{cfg.y}_{cfg.x}": trade_off(chosen, protocols, cfg.x, cfg.y, name)}
    if out is not None:
        write(out, table, sentences, drawings)
        print(f"tables and figures are in {out}")


if __name__ == "__main__":
    main()
