"""A tokenizer of the captions' own words: byte pairs, learnt from the captions that are trained on.

Law: it is a pure function of the captions. Any text can be written in it, since single bytes are
tokens too; upper and lower case are one.
"""

from collections.abc import Iterable, Sequence

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

PAD, START, END = "<pad>", "<start>", "<end>"
SMALLEST = 256 + 3  # tokens: the bytes, and the three above


def learn(captions: Iterable[str], vocabulary: int, max_length: int) -> Tokenizer:
    """A tokenizer of at most `vocabulary` tokens; it cuts a text to `max_length` of them, the start
    and the end included."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    ends = [(name, tokenizer.token_to_id(name)) for name in (START, END)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=ends
    )
    tokenizer.enable_truncation(max_length)
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id(PAD), pad_token=PAD)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Token ids [B, L], and a mask that is True where a token is real."""
    encodings = tokenizer.encode_batch(list(texts))
    ids = torch.tensor([each.ids for each in encodings])
    return ids, torch.tensor([each.attention_mask for each in encodings]).bool()
