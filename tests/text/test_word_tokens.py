"""Words share out the tokens of a prompt, for vocabularies of any kind."""

import itertools
from pathlib import Path

import pytest

from imagen_lit.shapes import nano_t5
from imagen_lit.text import word_tokens


class Made:
    """Tokens of up to three letters, with marks before and after as an encoder has them."""

    def __init__(self, before: list[int], after: list[int], max_length: int = 99) -> None:
        self.before, self.after, self.max_length = before, after, max_length

    def token_ids(self, captions: list[str]) -> list[list[int]]:
        def pieces(caption: str) -> list[int]:
            parts = [w[i : i + 3] for w in caption.split() for i in range(0, len(w), 3)]
            return [1000 + sum(map(ord, part)) for part in parts]

        return [[*self.before, *pieces(each), *self.after] for each in captions]


@pytest.mark.parametrize("before", [[], [7]])
@pytest.mark.parametrize("after", [[], [8]])
def test_each_word_has_its_tokens_and_marks_have_no_word(before: list, after: list) -> None:
    words = word_tokens.of(Made(before, after), "  a purple   circle above ")
    assert [each.word for each in words] == ["a", "purple", "circle", "above"]
    assert [each.last - each.first for each in words] == [1, 2, 2, 2]
    assert words[0].first == len(before)
    assert all(one.last == other.first for one, other in itertools.pairwise(words))


def test_a_word_beyond_the_length_has_no_token() -> None:
    words = word_tokens.of(Made([], [8], max_length=3), "a purple circle")
    assert [each.last - each.first for each in words] == [1, 2, 0]


def test_no_words_have_no_tokens() -> None:
    assert word_tokens.of(Made([7], [8]), "  ") == []


def test_a_real_tokenizers_words_are_its_pieces(tmp_path: Path) -> None:
    tokenizer = nano_t5.make_tokenizer()

    class Encoder:
        max_length = 48

        def token_ids(self, captions: list[str]) -> list[list[int]]:
            return [list(ids) for ids in tokenizer(captions)["input_ids"]]

    prompt = "a red circle above a zebra"
    words = word_tokens.of(Encoder(), prompt)
    ids = Encoder().token_ids([prompt])[0]
    for each in words:
        text = tokenizer.decode(ids[each.first : each.last]).replace(" ", "")
        assert text == each.word
    assert words[-1].last == len(ids) - 1, "all but the end's mark"
