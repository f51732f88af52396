"""Counts, durations and texts in a few characters, for tables and lines: 153k, 2 h."""

UNITS = (("G", 1e9), ("M", 1e6), ("k", 1e3))
SPANS = (("d", 86400, 2 * 86400), ("h", 3600, 3600), ("min", 60, 60))  # unit, its size, from


def count(number: float) -> str:
    """640 -> 640, 54,912 -> 54.9k, 2.56e9 -> 2.56G."""
    for unit, size in UNITS:
        if abs(number) >= 0.9995 * size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def quantity(number: int, singular: str, plural: str = "") -> str:
    """1 -> 1 shard, 2,300 -> 2,300 shards; a plural that is more than an s is given."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def span(seconds: float) -> str:
    """40 -> now, 3700 -> 1 h."""
    for unit, size, least in SPANS:
        if seconds >= least:
            return f"{seconds / size:.0f} {unit}"
    return "now"


def shorten(text: str, most: int = 80) -> str:
    """The beginning of a long text, at most so many characters with the ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
