"""Merge a run's adapters into its weights: the new run is an ordinary one, and draws the same.

A weight W with an adapter becomes W + strength * (alpha / rank) up down, of the EMA; all others
stay as they are.
"""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, chosen_folder, json_file
from imagen_lit.basics.atomic import write_json, write_text
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import flatten
from imagen_lit.cli import command
from imagen_lit.network import adapters
from imagen_lit.run import checkpoint, lock, run_folder, start_weights, status
from imagen_lit.run.run_facts import CONFIG
from imagen_lit.stage.denoiser import Denoiser

ADAPTERS = "stage.denoiser.adapters"


def merge(
    source: Path,
    folder: Path,
    name: str,
    strength: float = 1.0,
    into: Path | None = None,
    images: int | None = None,
) -> None:
    """Write the run `folder`: the adapters of `source`, after so many images, on the weights that
    they were trained beside, or on those of the run `into`."""
    settings = run_folder.read_settings(source)
    if not any(key.startswith(ADAPTERS) for key in flatten(settings)):
        raise InputError(
            f"run={source} has no adapters: it is an ordinary run, with which every command draws. "
            "Set run=... to one that was trained with +experiment=lora."
        )
    if run_folder.exists(folder):
        raise InputError(f"there is a run in {folder} already. Choose another name=...")
    denoiser, text = run_folder.load_ema(source, images), _encoder(source)
    if into is not None:
        start_weights.refuse_other_encoder("into", into, text)
        _place_beside(denoiser, source, into)
    weights = adapters.merged(denoiser, strength)
    origin = run_folder.weights(source, images)
    del settings["stage"]["denoiser"]["adapters"]
    record = {"run": str(source), "digest": origin["digest"], "strength": strength}
    settings |= {"name": name, "merged": record | {"into": into and str(into)}}
    parts = {f"{part}.{k}": v for part in ("denoiser", "ema") for k, v in weights.items()}
    content = {"state_dict": parts, "images_seen": origin["images_seen"]}
    folder.mkdir(parents=True, exist_ok=True)
    with lock.exclusive(folder):
        checkpoint.write(content, checkpoint.path(folder, origin["images_seen"]))
        write_json(folder / run_folder.TEXT, text)
        status.write(folder, "finished")
        write_text(folder / CONFIG, OmegaConf.to_yaml(settings))  # the last: now there is a run


def _encoder(run: Path) -> dict[str, str]:
    return json_file.read(run / run_folder.TEXT, "Restore it from a copy of the run.")


def _place_beside(denoiser: Denoiser, source: Path, into: Path) -> None:
    """Give the denoiser the weights of that run beside its own adapters."""
    start = adapters.with_base(denoiser, adapters.merged(run_folder.load_ema(into)))
    if differing := checkpoint.differing_weights(denoiser, start):
        raise InputError(
            f"into={into} has another network than the adapters of {source}: {len(differing)} "
            f"weights differ, among them {', '.join(differing[:3])}. Set into=... to a run of the "
            "same network, or into=null."
        )
    denoiser.load_state_dict(start)


@command.main("merge")
def main(cfg: DictConfig) -> None:
    """Merge, and print where the new run is."""
    source = chosen_folder.of("run", cfg.run)
    folder = run_folder.locate(cfg.runs, cfg.name)
    chosen_folder.require_writable("name", cfg.name, folder)
    strength = arguments.finite("strength", cfg.strength)
    into = None if cfg.into is None else chosen_folder.of("into", cfg.into)
    merge(source, folder, str(cfg.name), strength, into, cfg.images)
    print(f"the run is in {folder}; python -m imagen_lit.sample draws with it as with any other")


if __name__ == "__main__":
    main()
