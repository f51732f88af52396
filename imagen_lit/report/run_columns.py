"""The columns of a list of runs, as short texts: the terminal and the page show the same ones."""

from collections.abc import Iterable, Mapping, Sequence

from imagen_lit.basics import short_form
from imagen_lit.run.evaluation_facts import EvaluationFacts
from imagen_lit.run.run_facts import RunFacts

COLUMNS = ("state", "images", "images/s", "loss", "score", "changed")
Evaluations = Sequence[tuple[EvaluationFacts, str]]  # with the stage of the cascade

TRAINING = "*"  # marks a loss of the training
LEGEND = f"{TRAINING} the loss of the training: no validation has been made yet"


def columns(run: RunFacts, evaluations: Evaluations, now: float) -> dict[str, str]:
    """A text for each of COLUMNS, empty where nothing is known."""
    speed = run.latest.get("speed/images_per_second")
    return {
        "state": str(run.state),
        "images": _images(run),
        "images/s": "" if speed is None else short_form.count(speed),
        "loss": _loss(run),
        "score": _score(run, evaluations),
        "changed": short_form.span(now - run.changed) if run.changed else "",
    }


def legend(rows: Iterable[Mapping[str, str]]) -> str:
    """What a mark in these rows means; empty without one."""
    return LEGEND if any(row["loss"].endswith(TRAINING) for row in rows) else ""


def problems(run: RunFacts) -> list[str]:
    """What went wrong, in sentences: why it failed, and what could not be read."""
    killed = "its process is gone and had no time to say why; the same command resumes it"
    return [*filter(None, [run.state.error]), *[killed] * (run.state.word == "killed"), *run.notes]


def _images(run: RunFacts) -> str:
    if run.total is None:
        return short_form.count(run.images) if run.images else ""
    images = min(run.images, run.total)  # the last update may go beyond
    done = f"{short_form.count(images)}/{short_form.count(run.total)}"
    return f"{done} {min(100, 100 * run.images // run.total)}%"


def _loss(run: RunFacts) -> str:
    if (loss := run.latest.get("val/loss")) is not None:
        return f"{loss:.4f}"
    loss = run.latest.get("train/loss")
    return "" if loss is None else f"{loss:.4f}{TRAINING}"


def _score(run: RunFacts, evaluations: Evaluations) -> str:
    """Of the last preview; of a stage without previews, that of the last evaluation."""
    scores = [run.score] if run.score is not None else []
    for evaluation, stage in evaluations:
        if row := evaluation.scores.get(stage, {}).get("all"):
            scores.append((row["exact"], *row["interval"]))
    return "{:.2f} ({:.2f}–{:.2f})".format(*scores[0]) if scores else ""
