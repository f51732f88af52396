"""The settings of a run that say something about the paper, by key, as texts to compare.

A part stands under its own key, by its class. What only concerns the machine, the log or the
pictures of previews is left out; any new key is in.
"""

from collections.abc import Iterator, Mapping
from typing import Any

MACHINE: tuple[str, ...] = ("name", "runs", "seed", "notice", "dry_run", "device", "hydra")
MACHINE += ("tf32", "compile", "logger", "callbacks", "prompts", "metrics", "features")
MACHINE += ("text_features", "reference", "feature_folder", "text.path", "text.device")
MACHINE += ("text.make_command", "data.text", "data.seed", "data.workers", "data.micro_batch_size")
MACHINE += ("data.decoded_cache_mib", "data.max_bad_fraction", "data.validation")
MACHINE += ("data.validation_shards", "data.window", "network.checkpointing", "optimizer.fused")
MACHINE += ("stage.seed", "stage.max_skipped_in_a_row")
MACHINE += ("data.weight", "text.width", "text.load")  # say nothing, or follow from the encoder
FRAMES = ("data", "data.filter", "stage", "stage.denoiser", "stage.condition", "text")  # of others
OF_TRAINER = ("trainer.precision", "trainer.gradient_clip_val")  # the rest is the machine's
ORDER = ("text", "data", "network", "diffusion", "optimizer", "stage", "trainer")
HYDRAS = ("_partial_", "_convert_", "_recursive_", "_args_")
DEEPEST = 12  # levels; a file of a run may hold anything


class Class(str):
    """The short name of what a part is built from."""


def flatten(settings: Mapping[str, Any]) -> dict[str, str]:
    """Key to value; a list is one value."""
    return compared(dict(_walk(settings, "", 0)))


def compared(flat: Mapping[str, str]) -> dict[str, str]:
    """Those of the settings that say something about the paper, in the order of a table."""
    return {key: flat[key] for key in sorted(flat, key=_rank) if _is_compared(key)}


def text(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(text, value))}]"
    if isinstance(value, float):
        return f"{value:.10g}" if abs(value) < 1e6 or not value.is_integer() else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return str(value)


def short(target: str) -> str:
    """`Muon` of a class, `plain` of a function, `T5EncoderModel.from_pretrained` of a method."""
    words = target.split(".")
    first = next((n for n, word in enumerate(words) if word[:1].isupper()), -1)
    return ".".join(words[first:])


def _walk(node: Any, key: str, depth: int) -> Iterator[tuple[str, str]]:
    if not isinstance(node, dict) or depth > DEEPEST:
        yield key, text(node)
        return
    for name, value in node.items():
        if name == "_target_":
            yield key, Class(short(str(value)))
        elif name not in HYDRAS:
            yield from _walk(value, f"{key}.{name}".lstrip("."), depth + 1)


def _is_compared(key: str) -> bool:
    if key == "trainer" or key.startswith("trainer."):
        return key in OF_TRAINER
    return key not in FRAMES and not any(
        key == each or key.startswith(f"{each}.") for each in MACHINE
    )


def _rank(key: str) -> int:
    first = key.partition(".")[0]
    return ORDER.index(first) if first in ORDER else len(ORDER)
