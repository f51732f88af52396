"""What a progress line says, in one look for every command: a bar, how many of how many, how fast,
how long it will still take, and one note."""

from collections.abc import Sequence

from imagen_lit.basics.eta import clock
from imagen_lit.basics.short_form import shorten

BAR = 24  # characters
SOON = 0.5  # seconds: less would be shown as none, though files are still being written


def progress_text(
    done: int,
    total: int,
    unit: str,
    *,
    label: str = "",
    share: float | None = None,
    speed: float | None = None,
    left: float | None = None,
    untimed: Sequence[str] = (),
    took: float | None = None,
    note: str = "",
    columns: int | None = None,
) -> str:
    """The line; what is None is not known, and left out. `took` makes it the last one.

    `share` is the bar's, if it is finer than the count. `untimed` is what takes nobody knows how
    long: `left` is without it, and names it. The line fits into so many columns, the bar giving way
    first.
    """
    done = max(0, min(done, total))  # the last batch may go beyond the total
    counts = f"{done:,}/{total:,} {unit}"
    parts = [counts if took is None else f"{counts} in {clock(took)}"]
    if took is None and speed is not None:
        parts.append(f"{_number(speed)} {unit.split()[0]}/s")
    if took is None and left is not None and left >= SOON and done < total:
        parts.append(f"{' + '.join([clock(left), *untimed])} left")
    text = ", ".join([*parts, *([note] if note else [])])
    label = f"{label} " if label else ""
    width = BAR if columns is None else min(BAR, columns - len(label) - len(text) - 1)
    share = done / total if share is None else max(0.0, min(share, 1.0))
    filled = int(share * width) if done >= total else min(int(share * width), width - 1)
    bar = f"{'█' * filled}{'░' * (width - filled)} " if width > 3 else ""
    line = f"{label}{bar}{text}"
    return line if columns is None else shorten(line, columns)


def _number(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"
