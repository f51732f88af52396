"""The range of each health signal, and the likely cause of a value outside it (docs/health.md).

`callbacks/health.py` measures the signals and warns; the page of runs marks them.
"""

# The lowest and the highest healthy value, and the likely cause of a value outside them.
HEALTHY: dict[str, tuple[float | None, float | None, str]] = {
    "text_gap": (
        0.002,
        None,
        "the captions change nothing: are these the sidecars of these shards, and is "
        "stage.condition.drop below 1?",
    ),
    "shuffled_gap": (
        0.002,
        None,
        "other images' captions work as well as their own: do captions and images in the shards "
        "belong together, and are captions longer than a word?",
    ),
    "ema_lag": (
        None,
        0.5,
        "the EMA lags far behind: stage.ema_half_life is long for so few images, or the learning "
        "rate is too high",
    ),
    "lowres_error": (
        None,
        0.1,
        "the large image does not match the small one: does the network see the augmentation "
        "level, and does the cascade's factor agree with stage.condition.factor?",
    ),
    "channel_drift": (
        None,
        0.05,
        "colours drift globally, as they do when the last convolution sees only normed features",
    ),
}

MAX_RISE = 1.25  # a loss at one noise level may be this many times its minimum so far
MAX_WAIT = 0.2  # a larger share of the time spent waiting for data gives a warning


def is_healthy(value: float, low: float | None, high: float | None) -> bool:
    """Whether a value is in its range; one that is no number is not."""
    return value == value and (low is None or value >= low) and (high is None or value <= high)


def bound(low: float | None, high: float | None) -> str:
    """The range in words."""
    return f"at least {low:g}" if high is None else f"at most {high:g}"
