"""Images on the way from one prompt, or one seed, to another; the first and the last are those of
the prompts and seeds themselves.

Token states go in straight lines (imagen_lit/text/between_prompts.py), noise along a great circle
(imagen_lit/stage/seed.py), in all stages alike.
"""

from omegaconf import DictConfig, OmegaConf

from imagen_lit import edit
from imagen_lit.basics import arguments, device
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import excerpt, preset, typed_prompts
from imagen_lit.cascade.redrawing import redrawing
from imagen_lit.cli import command, config
from imagen_lit.stage.seed import Between
from imagen_lit.text.between_prompts import BetweenPrompts, Place


@command.main("interpolate")
def main(cfg: DictConfig) -> None:
    """Draw `images` of them, evenly spread, and print where each is."""
    if cfg["from"] is not None:
        redrawing(cfg)
        return
    cfg = preset.typed("interpolate", cfg)
    arguments.whole_numbers(cfg, images=2, seed=0, last_seed=0, batch=1, strip=0)
    arguments.path("runs", cfg.runs)
    device.allow_tf32(cfg.tf32)
    prompts = typed_prompts.captions(OmegaConf.to_container(cfg).get("prompts"))  # type: ignore[union-attr]
    if not 1 <= len(prompts) <= 2:
        raise InputError(
            f"prompts has {len(prompts)} prompts, and a way has two ends. Set prompts='[\"a red "
            'circle", "a blue square"]\', for example, or one prompt and last_seed=1.'
        )
    shares = [number / (cfg.images - 1) for number in range(cfg.images)]
    places = [Place(prompts[0], prompts[-1], share) for share in shares]
    ends = {0.0: cfg.seed, 1.0: cfg.last_seed}
    seeds = [
        ends.get(share, Between(cfg.seed, cfg.last_seed, share))
        if cfg.seed != cfg.last_seed
        else cfg.seed
        for share in shares
    ]
    names = [place.name if prompts[0] != prompts[-1] else prompts[0] for place in places]
    requests = list(dict.fromkeys(zip(names, seeds, strict=True)))
    if len(requests) < 2:
        raise InputError(
            "both ends of the way are the same prompt and seed. Set last_seed=1, for example, or "
            "name two prompts."
        )
    cascade = config.build(excerpt.excerpt(cfg))
    cascade.compiler = cfg.compile
    cascade.require_runs()
    encoder = BetweenPrompts(config.build(cfg.text), places)
    cascade.places = encoder.places
    edit.draw(cfg, cascade, encoder, requests)


if __name__ == "__main__":
    main()
