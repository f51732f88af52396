"""What to type to run a step of the demo on its own: the command, and its words."""

import shlex
from collections.abc import Sequence

from omegaconf import DictConfig


def shared(cfg: DictConfig) -> list[str]:
    """What chooses the encoder and the device; of what is usual, no word."""
    own = f"encoders/{cfg.text.name}"
    folder = cfg.text.get("path", own)  # an encoder without files has none
    path = [] if folder == own else [f"text.path={folder}"]
    device = [] if cfg.device == "auto" else [f"device={cfg.device}"]
    return [f"text={cfg.text.name}", *path, *device]


def pretrain_text(cfg: DictConfig) -> tuple[str, list[str]]:
    """The encoder's own training."""
    documents = 0 if cfg.text.name.endswith("random") else cfg.documents
    words = [f"text={cfg.text.name}", f"documents={documents}", f"folder={cfg.text.path}"]
    return "pretrain_text", [*words, f"seed={cfg.seed}"]


def build_shards(cfg: DictConfig) -> tuple[str, list[str]]:
    """The shapes world."""
    return "build_shards", [f"source.count={cfg.scenes}", f"folder={cfg.datasets}"]


def embed_text(cfg: DictConfig) -> tuple[str, list[str]]:
    """Its captions, read by the encoder."""
    return "embed_text", [*shared(cfg), f"shards={cfg.datasets}"]


def line(name: str, words: Sequence[str]) -> str:
    """What a person types."""
    return shlex.join(["python", "-m", f"imagen_lit.{name}", *words])


def less_to_draw(cfg: DictConfig) -> str:
    """Settings that draw less than these; empty where there is hardly less to draw."""
    prompts = "prompts=32" if cfg.prompts > 32 else ""
    weights = "'guidance_weights=[1,5]'" if len(cfg.guidance_weights) > 2 else ""
    return " ".join(filter(None, [prompts, weights]))
