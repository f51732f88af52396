"""A trained cascade as a folder for people who only draw: safetensors, JSON, and its text encoder.

`Cascade.load(folder)` opens it (docs/python_api.md), and with format=diffusers so does diffusers.
"""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, chosen_folder
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import diffusers_folder, excerpt, exported_cascade
from imagen_lit.cli import command, config

FORMATS = ("imagen_lit", "diffusers")


@command.main("export")
def main(cfg: DictConfig) -> None:
    """Write the folder, and say how to open it."""
    arguments.choice("format", cfg.format, FORMATS)
    arguments.switch("with_text", cfg.with_text)
    if cfg.out is None:
        raise InputError("out is not set, the folder to be written. Set out=exported, for example.")
    out: Path = chosen_folder.of("out", cfg.out)
    if out.exists() and any(out.iterdir()):
        raise InputError(f"out={out} has files already. Set out=... to a new folder.")
    chosen_folder.require_writable("out", out, out)
    part = excerpt.excerpt(cfg)
    cascade, encoder = config.build(part), config.build(cfg.text)
    cascade.require_runs()
    cascade.check(encoder.fingerprint())
    cascade.give_empty_caption(encoder)
    recipes = {
        name: OmegaConf.to_container(part[name].recipe, resolve=True)
        for name in excerpt.stages(part)
    }
    text = OmegaConf.to_container(cfg.text, resolve=True)
    folder = out / diffusers_folder.CASCADE if cfg.format == "diffusers" else out
    exported_cascade.write(folder, cascade, encoder, recipes, text, cfg.with_text)
    print(f"the cascade is in {out}. Draw with it in Python:")
    if cfg.format == "diffusers":
        diffusers_folder.write(out)
        print(
            f"  pipeline = diffusers.DiffusionPipeline.from_pretrained({str(out)!r}, "
            f"custom_pipeline={str(out / diffusers_folder.PIPELINE)!r}, trust_remote_code=True)"
        )
        print('  pipeline("a red circle", seed=0).images[0]')
        return
    print("  from imagen_lit.cascade.cascade import Cascade")
    print(f'  Cascade.load({str(out)!r})("a red circle", seed=0)')


if __name__ == "__main__":
    main()
