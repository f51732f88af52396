"""What an evaluation will draw, before its stages are trained: so many images of each stage's size,
which a ruler may refuse while nothing is lost by it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import excerpt
from imagen_lit.cascade.drawn_images import DrawnImages
from imagen_lit.cli import config, user_error
from imagen_lit.data.prompts.source import JudgedPrompts
from imagen_lit.metrics.ruler import Ruler
from imagen_lit.run import prompts as run_prompts


def missing(
    cfg: DictConfig,
    data: DictConfig,
    sizes: Mapping[str, int],
    wanted: Sequence[str],
    make_ruler: Callable[[], Ruler],
) -> str:
    """Raise if a metric could give the images that a config of `evaluate` asks for no score, or if
    none gives the last stage one that is `wanted`. Where a file is not there yet, without which
    nobody knows, the sentence about it; else empty.

    `data`: those that the first stage is trained on; `sizes`: the edge of each stage's images, from
    the smallest to the largest, those of smaller images that are there included.
    """
    try:
        prompts = run_prompts.build(cfg.prompts, config.build(data))
        images = {
            name: DrawnImages(
                [Path()] * len(prompts.prompts), prompts.prompts, prompts.seeds, size, ""
            )
            for name, size in sizes.items()
        }
        own = [name for name in excerpt.stages(excerpt.excerpt(cfg)) if name in images]
        before = [name for name in images if name not in own]
        ruler = make_ruler()
        case = {name: images[name] for name in own}, images[before[-1]] if before else None
        ruler.require(*case)
        judged = ["exact"] if isinstance(prompts, JudgedPrompts) else []
        _require_all(wanted, [*dict.fromkeys([*ruler.numbers(*case), *judged])])
    except Exception as error:
        if not _is_file_lacking(error):
            raise
        return user_error.sentence(error, list) or str(error)
    return ""


def _require_all(wanted: Sequence[str], given: Sequence[str]) -> None:
    """`wanted` may name scores by category, as exact/two does."""
    if lacks := [name for name in wanted if name.partition("/")[0] not in given]:
        raise InputError(
            f"no metric gives {lacks[0]}{did_you_mean(lacks[0], given)}: there are "
            f"{', '.join(given) or 'no scores at all'}. Choose metrics that give what figures show."
        )


def _is_file_lacking(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, FileNotFoundError):
            return True
        error = error.__cause__
    return False
