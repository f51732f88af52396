"""Prompts become images, through every stage of a cascade."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import image_files
from imagen_lit.cascade.drawing_progress import DrawingProgress
from imagen_lit.cli import command, config
from imagen_lit.text import lost_text


@command.main("sample")
def main(cfg: DictConfig) -> None:
    """Draw the prompts and print where each image is."""
    prompts = OmegaConf.to_container(cfg).get("prompts")  # type: ignore[union-attr]
    is_list = isinstance(prompts, list) and all(isinstance(p, str) and p.strip() for p in prompts)
    if not prompts or not is_list:
        raise InputError(
            f"prompts={prompts!r} is not a list of captions. Set "
            "prompts='[\"a red circle above a blue square\"]', for example."
        )
    arguments.whole_numbers(cfg, images=1, seed=0, batch=1)
    requests = [(p, cfg.seed + i) for p in prompts for i in range(cfg.images)]
    cascade, encoder = config.build(cfg.cascade), config.build(cfg.text)
    lost_text.warn(encoder, prompts)
    progress = DrawingProgress()
    drawn = image_files.draw(cascade, encoder, requests, Path(cfg.out), cfg.batch, progress.step)
    for number, (prompt, seed, files) in enumerate(drawn):
        if number % cfg.batch == 0:  # all images of a batch are there with its first
            progress.count(number + cfg.batch, len(requests))
        print(f"{prompt} (seed {seed}): {list(files.values())[-1]}")


if __name__ == "__main__":
    main()
