"""A stage of DeepFloyd IF in the folder of a diffusers pipeline, as its authors publish it
(docs/deepfloyd_if.md): `unet/config.json` and the safetensors beside it.

It was trained on the steps of `DiscreteCosine`, with T5-XXL's tokens of the whole length, 77, also
those that only fill it, and without text on the empty caption; a super-resolution on small images
with noise at the large size.
"""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from imagen_lit.basics import json_file
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.network import deepfloyd_weights
from imagen_lit.stage.denoiser import Denoiser

UNET = "unet"
STEM = "diffusion_pytorch_model"
KINDS = ("", ".fp16")  # of files, as diffusers names them; the first that is there is read
TOKENS = 77  # of a caption
END = 2**22  # bytes
FACTOR = 4  # of both super-resolutions
SCHEDULE = {"_target_": "imagen_lit.diffusion.schedule.DiscreteCosine"}
FETCH = "Fetch it again, as docs/deepfloyd_if.md says."


class DeepFloydStage:
    """What is in such a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Whether the folder has a U-Net of diffusers."""
        return (folder / UNET / "config.json").is_file()

    @cached_property
    def config(self) -> dict[str, Any]:
        """The network's, as diffusers writes it."""
        return json_file.read(self.folder / UNET / "config.json", FETCH)

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Of our network."""
        try:
            return deepfloyd_weights.settings(self.config)
        except InputError as error:
            raise InputError(
                f"{self.folder / UNET}: {error} Name its folder in cascade.<stage>.run."
            ) from error

    @cached_property
    def files(self) -> list[Path]:
        """Those of the weights: one, or the shards that an index lists."""
        folder = self.folder / UNET
        for kind in KINDS:
            index = folder / f"{STEM}.safetensors.index{kind}.json"
            if index.is_file():
                parts = json_file.read(index, FETCH).get("weight_map", {}).values()
                return [folder / Path(str(part)).name for part in sorted({*parts})]
            if (file := folder / f"{STEM}{kind}.safetensors").is_file():
                return [file]
        return [folder / f"{STEM}.safetensors"]

    def require(self, name: str, images: int | None) -> None:
        """Raise if a file of the weights is not there, or weights of a run were chosen."""
        if images is not None:
            raise InputError(
                f"cascade.{name}.images={images}: {self.folder} is no run, and has its weights "
                f"once. Set cascade.{name}.images=null."
            )
        if lacking := [file for file in self.files if not file.is_file()]:
            raise InputError(f"there is no {lacking[0]}, weights of DeepFloyd IF. {FETCH}")

    def settings(self) -> dict[str, Any]:
        """The nodes of our parts."""
        arguments = self.arguments
        network = "imagen_lit.network.deepfloyd_unet.DeepFloydUNet"
        prediction = "imagen_lit.diffusion.prediction.EpsilonWithVariance"
        null_text: dict[str, Any] = {
            "_target_": "imagen_lit.stage.null_text.Encoded",
            "width": arguments["text_width"],
            "places": TOKENS,
        }
        text_only = "imagen_lit.stage.condition.TextOnly"
        condition: dict[str, Any] = {"_target_": text_only, "null_text": null_text}
        if arguments["lowres_channels"]:
            noise = "imagen_lit.stage.augmentation.EnlargedNoise"
            condition |= {
                "_target_": "imagen_lit.stage.condition.TextAndLowRes",
                "factor": FACTOR,
                "augmentation": {"_target_": noise, "schedule": SCHEDULE, "factor": FACTOR},
            }
        return {
            "denoiser": {
                "_target_": "imagen_lit.stage.denoiser.Denoiser",
                "network": {"_target_": network, "schedule": SCHEDULE, **arguments},
                "schedule": SCHEDULE,
                "prediction": {"_target_": prediction},
            },
            "condition": condition,
            "size": self.size(),
        }

    def size(self) -> int:
        """The edge of the images that it draws."""
        size = self.config.get("sample_size")
        if type(size) is not int:
            raise InputError(f"{self.folder / UNET} has sample_size={size}, no edge. {FETCH}")
        return size

    def condition(self) -> Any:
        """What it was trained to draw from."""
        return config.build(self.settings()["condition"])

    def denoiser(self, images: int | None) -> Denoiser:
        """Its weights; the null text is given to it before it draws."""
        self.require(self.folder.name, images)
        with torch.device("meta"):  # the weights are in memory once
            denoiser: Denoiser = config.build(self.settings()["denoiser"])
        theirs: dict[str, Tensor] = {}
        for file in self.files:
            try:
                theirs |= load_file(file)
            except SafetensorError as error:
                raise InputError(f"{file} is damaged ({error}). {FETCH}") from error
        try:
            weights = deepfloyd_weights.weights(theirs, self.arguments)
            denoiser.network.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            words = " ".join(str(error).split())[:200]
            raise InputError(
                f"{self.files[0]} does not fit its config.json: {words} {FETCH}"
            ) from error
        denoiser.network.to(memory_format=torch.channels_last)
        denoiser.null_text = self.condition().null_text
        drawing: Denoiser = denoiser.eval().requires_grad_(False)
        return drawing

    def weights(self, images: int | None) -> dict[str, Any]:
        """Which weights these are: a digest of both ends of their files, which may have 17 GB, and
        of their sizes."""
        digest = hashlib.sha256(json.dumps(self.config, sort_keys=True).encode())
        for file in self.files:
            if file.is_file():
                size = file.stat().st_size
                with file.open("rb") as handle:
                    digest.update(str(size).encode() + handle.read(END))
                    handle.seek(max(0, size - END))
                    digest.update(handle.read())
        settings = json.dumps(self.settings(), sort_keys=True).encode()
        return {
            "images_seen": 0,
            "digest": digest.hexdigest()[:12],
            "settings": hashlib.sha256(settings).hexdigest()[:12],
        }

    def text_difference(self, fingerprint: dict[str, str]) -> str:
        """Its folder does not say which encoder it was trained with; the width has to fit, and the
        length: FullLength, or whatever has tokens for all of it."""
        lengths = fingerprint.get("max_length"), fingerprint.get("padding")
        here = "max_length: 77, padding: max_length"
        return "" if lengths == (str(TOKENS), "max_length") else f"it was {here}"

    def text(self) -> None:
        """No config node."""

    def text_fingerprint(self) -> None:
        """It has none."""
