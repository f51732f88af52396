"""The last health signals of a run beside the range in which they are healthy (docs/health.md)."""

from collections.abc import Iterator
from html import escape

from imagen_lit.report import page
from imagen_lit.run.health_ranges import HEALTHY, MAX_RISE, MAX_WAIT, bound, is_healthy
from imagen_lit.run.metrics import METRICS
from imagen_lit.run.run_facts import RunFacts

Signal = tuple[str, float, float | None, float | None, str]  # name, value, low, high, cause

JUDGED_LATE = ("health/", "val/")  # a young run gets no warnings of these

NOT_FINITE = "the learning rate is too high, or sidecars are damaged"
WAITING = "too few data.workers; python -m imagen_lit.bench data measures reading"
RISING = "at the noisy end, t9: the learning rate is too high; at t0: images are memorised"


def signals(run: RunFacts) -> Iterator[Signal]:
    """Every signal that the run has logged."""
    for name, (low, high, cause) in HEALTHY.items():
        if (value := run.latest.get(f"health/{name}")) is not None:
            yield f"health/{name}", value, low, high, cause
    rises = [(_rise(run, name), name) for name in METRICS if name.startswith("val/loss_t")]
    if any(rise for rise, _ in rises):
        worst, name = max(rises)
        yield f"{name} / its lowest", worst, None, MAX_RISE, RISING
    if (skipped := run.latest.get("train/skipped_updates")) is not None:
        yield "train/skipped_updates", skipped, None, 0.0, NOT_FINITE
    if (wait := run.latest.get("speed/data_wait")) is not None:
        yield "speed/data_wait", wait, None, MAX_WAIT, WAITING


def html(run: RunFacts) -> str:
    """The table; empty without signals. A young run is not judged, as it is not warned."""
    after = run.setting("callbacks.health.after")
    is_young = type(after) is int and run.images < after
    rows = []
    for name, value, low, high, cause in signals(run):
        is_good = is_healthy(value, low, high)
        mark = '<td class="right">✓</td>'
        if not is_good:
            mark = f'<td class="wrong">✗ {escape(cause)}</td>'
        if is_young and name.startswith(JUDGED_LATE):
            mark = '<td class="soft">too early</td>'
        rows.append(
            f'<tr><td>{page.breakable(name)}</td><td class="number">{value:.3g}</td>'
            f'<td class="number">{bound(low, high)}</td>{mark}</tr>'
        )
    if not rows:
        return ""
    head = "<tr><th>signal</th><th>last</th><th>healthy</th><th></th></tr>"
    table = f'<table class="health">{head}{"".join(rows)}</table>'
    return page.figure(f"health, judged from {after:,} images on" if is_young else "health", table)


def _rise(run: RunFacts, metric: str) -> float:
    """The last loss / the lowest one; 0 if there is none."""
    lowest = run.lowest.get(metric, 0.0)
    return run.latest[metric] / lowest if lowest > 0 else 0.0
