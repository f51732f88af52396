"""DeepFloyd IF's encoder: every caption in all tokens, lower case, and none of them hidden."""

from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import T5EncoderModel

from imagen_lit import pretrain_text
from imagen_lit.cli import config
from imagen_lit.text.encoder import HuggingFace
from imagen_lit.text.full_length import FullLength


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder") / "t5"
    pretrain_text.main(config.compose("pretrain_text", ["documents=0", f"folder={folder}"]))
    return folder


def test_every_caption_has_all_tokens_and_its_own_are_the_usual_ones(folder: Path) -> None:
    parts = {"name": "t5", "path": str(folder), "width": 128, "max_length": 12, "device": "cpu"}
    make = partial(T5EncoderModel.from_pretrained)
    full, usual = FullLength(load=make, **parts), HuggingFace(load=make, **parts)
    captions = ["A Red Circle ", "a red circle above a blue square"]
    tokens, mask = full.encode(captions)
    assert tokens.shape == (2, 12, 128) and mask.all() and full.lengths(captions) == [12, 12]
    lower = ["a red circle", captions[1]]
    expected, real = usual.encode(lower)
    length = real.shape[1]
    torch.testing.assert_close(tokens[:, :length][real], expected[real], atol=1e-5, rtol=1e-4)
    assert tokens[0, length:].any(), "what fills it up has vectors too"
    assert full.fingerprint() != usual.fingerprint()
