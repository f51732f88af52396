"""Tiny models with random weights in the folders that transformers makes of them."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
    PreTrainedTokenizerFast,
)

WORDS = ["<pad>", "<start>", "<end>", *"a red blue circle square above of the on".split()]
LAYERS = {"num_hidden_layers": 2, "num_attention_heads": 2}
CLIP_WIDTH, DINO_WIDTH = 10, 24


def save_clip(folder: Path) -> Path:
    """CLIP that sees 32 pixels and reads 12 tokens."""
    torch.manual_seed(0)
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    text = {"vocab_size": len(WORDS), "hidden_size": 16, "max_position_embeddings": 12}
    vision = {"hidden_size": 24, "image_size": 32, "patch_size": 8}
    both = {**LAYERS, "intermediate_size": 32}
    config = CLIPConfig(
        text_config={**text, **both, **ends},
        vision_config={**vision, **both},
        projection_dim=CLIP_WIDTH,
    )
    CLIPModel(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<pad>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        "<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 2)]
    )
    special = {"bos_token": "<start>", "eos_token": "<end>", "pad_token": "<pad>"}
    PreTrainedTokenizerFast(tokenizer_object=words, **special).save_pretrained(folder)
    return folder


def save_dino(folder: Path) -> Path:
    """DINOv2 that was trained on 70 pixels."""
    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=DINO_WIDTH, image_size=70, patch_size=14, **LAYERS)
    Dinov2Model(config).save_pretrained(folder)
    return folder
