"""The tokenizer is learnt from captions, and writes any text."""

import pytest
from tokenizers import decoders

from imagen_lit.contrastive import tokenizer as tokens

CAPTIONS = ["a red circle", "a blue circle above a red square", "two red circles"] * 4


def test_the_same_captions_give_the_same_tokenizer() -> None:
    first, again = (tokens.learn(iter(CAPTIONS), 300, 16).to_str() for _ in range(2))
    assert first == again
    assert first != tokens.learn(CAPTIONS[:2] * 4, 300, 16).to_str()


def test_frequent_words_are_one_token_in_any_place_and_case() -> None:
    tokenizer = tokens.learn(CAPTIONS, 300, 16)
    ids, mask = tokens.encode(tokenizer, ["red circle", "Circle RED", "red"])
    assert mask.sum(1).tolist() == [4, 4, 3], "with the start and the end"
    assert ids[0, 1:3].tolist() == ids[1, 1:3].tolist()[::-1]
    assert ids[2, 1] == ids[0, 1]


@pytest.mark.parametrize("text", ["", "wörd 猫 🙂", "\x00\n\t", "½"])
def test_any_text_can_be_written(text: str) -> None:
    tokenizer = tokens.learn(CAPTIONS, 300, 64)
    ids, mask = tokens.encode(tokenizer, [text])
    tokenizer.decoder = decoders.ByteLevel()
    assert tokenizer.decode(ids[0].tolist()).strip(" ") == text
    assert mask.all()


def test_a_long_text_is_cut_but_ends_with_the_end() -> None:
    tokenizer = tokens.learn(CAPTIONS, 300, 6)
    ids, mask = tokens.encode(tokenizer, ["a red circle " * 9, "a"])
    end = tokenizer.token_to_id(tokens.END)
    assert ids.shape == (2, 6) and ids[0, -1] == end
    assert ids[1, :3].tolist()[-1] == end and mask[1].tolist() == [True] * 3 + [False] * 3
