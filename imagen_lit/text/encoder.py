"""A frozen text encoder: captions to token vectors.

Contract: `encode(captions) -> (tokens [B, L, D] float32, mask [B, L] bool)`, True where a token is
real, tokens zero where it is not. Any Hugging Face directory serves: T5, BERT and CLIP differ only
in the class that loads them and in the layer that is read, and both stand in the YAML file. The
tiny encoder of the demo goes through this same door.
"""

import hashlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging


class HuggingFace:
    """`load` is a class's `from_pretrained`; `layer` counts hidden states, -1 being the encoder's
    own output."""

    def __init__(
        self,
        name: str,
        path: str,
        load: Callable[..., nn.Module],
        width: int,
        max_length: int = 128,
        layer: int = -1,
        device: str = "cpu",
        made_by: str | None = None,
    ) -> None:
        self.name, self.path, self.load = name, path, load
        self.width, self.max_length, self.layer = width, max_length, layer
        self.device, self.made_by = device, made_by

    @cached_property
    def model(self) -> nn.Module:
        self._require_files()
        logging.disable_progress_bar()
        model = self.load(self.path, dtype=torch.float32).eval().requires_grad_(False)
        if model.config.hidden_size != self.width:
            raise ValueError(
                f"text encoder {self.name!r} in {self.path} has width {model.config.hidden_size}, "
                f"its configuration says {self.width}: set text.width={model.config.hidden_size}"
            )
        return model.to(self.device)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        self._require_files()
        return AutoTokenizer.from_pretrained(self.path)

    @torch.inference_mode()
    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        batch = self.tokenizer(
            captions,
            padding=True,
            truncation=True,
            max_length=self.max_length,
            return_tensors="pt",
        ).to(self.device)
        out = self.model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            output_hidden_states=self.layer != -1,
        )
        tokens = out.last_hidden_state if self.layer == -1 else out.hidden_states[self.layer]
        mask = batch["attention_mask"].bool()
        if not tokens[mask].isfinite().all():
            raise ValueError(
                f"text encoder {self.name!r} answered with non-finite numbers for {captions[:3]}…: "
                "run it in float32 or bfloat16, never in float16"
            )
        return tokens.float() * mask.unsqueeze(-1), mask

    def fingerprint(self) -> dict[str, str]:
        """What must be equal for two embeddings to be comparable; stored in every cache file."""
        self._require_files()
        weights = sorted(Path(self.path).glob("*.safetensors"))
        return {
            "encoder": self.name,
            "weights_sha256": _sha256(weights),
            "tokenizer_sha256": _sha256([Path(self.path) / "tokenizer.json"]),
            "max_length": str(self.max_length),
            "layer": str(self.layer),
            "compute_dtype": "float32",
        }

    def _require_files(self) -> None:
        here = Path(self.path)
        missing = [n for n in ("config.json", "tokenizer.json") if not (here / n).is_file()]
        if not list(here.glob("*.safetensors")):
            missing.append("*.safetensors")
        if missing:
            cure = f"make it with: {self.made_by}" if self.made_by else "put the model there"
            raise FileNotFoundError(
                f"text encoder {self.name!r}: the folder {self.path} lacks {', '.join(missing)}; "
                f"expected a Hugging Face directory; {cure}"
            )


def _sha256(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
