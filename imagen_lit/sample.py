"""Prompts become pictures, through every stage of a cascade."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from imagen_lit import door
from imagen_lit.cascade import Cascade
from imagen_lit.evaluation.figure import save
from imagen_lit.stage.condition import Condition
from imagen_lit.text.encoder import HuggingFace


def draw(
    cascade: Cascade,
    encoder: HuggingFace,
    wanted: Sequence[tuple[str, int]],
    folder: Path,
    batch: int,
) -> Iterator[tuple[str, int, dict[str, Path]]]:
    """Draw each (prompt, seed); yield it with {step: file} as soon as its batch is finished."""
    cascade.require(encoder.fingerprint())
    for start in range(0, len(wanted), batch):
        now = wanted[start : start + batch]
        condition = Condition(*encoder.encode([prompt for prompt, _ in now]))
        for name, pictures in cascade.draw(condition, [seed for _, seed in now]):
            for picture, (prompt, seed) in zip(pictures, now, strict=True):
                save(picture, file(folder, name, prompt, seed))
        for prompt, seed in now:
            yield prompt, seed, files(cascade, folder, prompt, seed)


def files(cascade: Cascade, folder: Path, prompt: str, seed: int) -> dict[str, Path]:
    """Where the pictures of all steps lie, or will."""
    return {name: file(folder, name, prompt, seed) for name in cascade.steps}


def file(folder: Path, step: str, prompt: str, seed: int) -> Path:
    """A picture is named by its prompt and its seed; where a name cannot hold the whole prompt, a
    digest tells it from others."""
    slug = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:80]
    if slug.replace("-", " ") != prompt:
        slug = f"{slug or 'other'}_{hashlib.sha256(prompt.encode()).hexdigest()[:8]}"
    return folder / step / f"{slug}_seed{seed}.png"


@door.main("sample")
def main(cfg: DictConfig) -> None:
    prompts = OmegaConf.to_container(cfg).get("prompts")  # type: ignore[union-attr]
    good = isinstance(prompts, list) and all(isinstance(p, str) and p.strip() for p in prompts)
    if not prompts or not good:
        raise ValueError(
            f"found prompts={prompts!r}, and a list of captions is expected: type "
            "prompts='[\"a red circle above a blue square\"]'"
        )
    door.whole(cfg, images=1, seed=0, batch=1)
    many = [(p, cfg.seed + i) for p in prompts for i in range(cfg.images)]
    cascade, encoder = door.build(cfg.cascade), door.build(cfg.text)
    for prompt, seed, made in draw(cascade, encoder, many, Path(cfg.out), cfg.batch):
        print(f"{prompt} (seed {seed}): {list(made.values())[-1]}")


if __name__ == "__main__":
    main()
