"""Which way a score is better. Of contrast, colour and drift neither way is: there a difference is
told without a winner."""

LARGER = (
    "exact",
    "precision",
    "recall",
    "density",
    "coverage",
    "clip_score",
    "clip_score_authors",
    "clip_score_torchmetrics",
    "r_precision",
    "low_res_consistency",
)
SMALLER = ("fd", "fd_infinity", "kid", "cmmd", "training_copies")


def is_higher_better(metric: str) -> bool | None:
    """None where a difference has no winner. A judge outside counts upwards (docs/judges.md), and
    is asked for by who calls."""
    name = metric.partition("/")[0]
    return True if name in LARGER else False if name in SMALLER else None
