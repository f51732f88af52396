"""Make a text encoder's control: the same architecture with random weights."""

from pathlib import Path

from omegaconf import DictConfig

from imagen_lit.basics import arguments, chosen_folder, fingerprint
from imagen_lit.basics.encoder_folder import SETTINGS, EncoderFolder
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import command, config
from imagen_lit.text import random_weights
from imagen_lit.text.encoder import HuggingFace

COMMAND = "python -m imagen_lit.randomise_text"


def randomise(encoder: HuggingFace, folder: Path, seed: int) -> bool:
    """Write the control unless it exists; return whether it is new. One of another encoder or seed
    is refused, and so is a folder that holds anything else."""
    settings = {"text": encoder.name, "seed": seed}
    place = EncoderFolder(folder, settings, COMMAND, {})
    with place.exclusive():
        if (folder / SETTINGS).is_file() and place.is_finished():
            return False
        place.refuse_other_place()
        random_weights.write(encoder, folder, seed, settings)
    return True


@command.main("randomise_text")
def main(cfg: DictConfig) -> None:
    """Make the control, and print where it is and what its weights are."""
    arguments.whole_numbers(cfg, seed=0)
    encoder = config.build(cfg.text)
    if not isinstance(encoder, HuggingFace):
        raise InputError(
            f"text={encoder.name} has no Hugging Face folder, whose weights could be random. "
            "Set text=minilm, for example."
        )
    folder = chosen_folder.of("folder", cfg.folder)
    chosen_folder.require_writable("folder", cfg.folder, folder)
    is_new = randomise(encoder, folder, cfg.seed)
    digest = fingerprint.digests(folder)["weights_sha256"]
    print(
        f"{encoder.name} with random weights (seed={cfg.seed}) {'is' if is_new else 'was already'} "
        f"in {folder}; sha256 of the weights: {digest}"
    )


if __name__ == "__main__":
    main()
