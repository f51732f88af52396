"""Laws of the way between two prompts: its ends are the prompts, in between each token's state goes
in a straight line, and no other prompt knows of it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from imagen_lit.text.between_prompts import BetweenPrompts, Place

FIRST, SECOND = "a red circle above a cross", "two squares"
WIDTH = 4


class WordEncoder:
    """A state for each word, and junk where no token is, as some encoders leave it."""

    name, max_length = "words", 9

    def lengths(self, captions: list[str]) -> list[int]:
        return [len(each.split()) for each in captions]

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        lengths = self.lengths(captions)
        text = torch.full((len(captions), max(lengths), WIDTH), 99.0)
        for row, caption in enumerate(captions):
            for place, word in enumerate(caption.split()):
                generator = torch.Generator().manual_seed(sum(map(ord, word)) + place)
                text[row, place] = torch.randn(WIDTH, generator=generator)
        mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        return text, mask


INNER = WordEncoder()


def between(*shares: float) -> tuple[BetweenPrompts, list[str]]:
    places = [Place(FIRST, SECOND, share) for share in shares]
    return BetweenPrompts(INNER, places), [place.name for place in places]  # type: ignore[arg-type]


def padded(prompt: str, length: int) -> Tensor:
    text, _ = INNER.encode([prompt])
    return torch.cat([text[0], torch.zeros(length - text.shape[1], WIDTH)])


def test_the_ends_are_the_prompts_themselves() -> None:
    encoder, names = between(0.0, 1.0)
    assert names == [FIRST, SECOND] and encoder.places == {}
    for prompt in names:
        for one, other in zip(encoder.encode([prompt]), INNER.encode([prompt]), strict=True):
            assert torch.equal(one, other)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 0.99))
def test_in_between_each_state_is_on_the_straight_line(share: float) -> None:
    encoder, (name,) = between(share)
    text, mask = encoder.encode([name])
    length = len(FIRST.split())
    assert encoder.lengths([name]) == [length] and text.shape == (1, length, WIDTH) and mask.all()
    line = (1 - share) * padded(FIRST, length) + share * padded(SECOND, length)
    torch.testing.assert_close(text[0], line)


def test_the_way_back_is_the_same_way() -> None:
    there, (name,) = between(0.25)
    back = BetweenPrompts(INNER, [Place(SECOND, FIRST, 0.75)])  # type: ignore[arg-type]
    torch.testing.assert_close(there.encode([name])[0], back.encode([*back.places])[0])


def test_a_wording_goes_around_both_prompts() -> None:
    encoder, (name,) = between(0.5)
    text, _ = encoder.encode([f"an oil painting of {name} at night"])
    ends = [f"an oil painting of {each} at night" for each in (FIRST, SECOND)]
    whole = BetweenPrompts(INNER, [Place(ends[0], ends[1], 0.5)])  # type: ignore[arg-type]
    assert torch.equal(text, whole.encode([*whole.places])[0])
    assert encoder.lengths([f"an oil painting of {name} at night"]) == [len(ends[0].split())]


def test_a_row_is_the_same_beside_any_others() -> None:
    encoder, names = between(0.25, 0.5)
    others = ["a", *names, "one two three four five six seven eight"]
    text, mask = encoder.encode(others)
    assert mask.sum(1).tolist() == encoder.lengths(others)
    for row, name in enumerate(others):
        alone, _ = encoder.encode([name])
        assert torch.equal(text[row, : alone.shape[1]], alone[0])
        assert not text[row, alone.shape[1] :].any()


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["a blue cross", FIRST, SECOND, f"{FIRST} and {SECOND}"]))
def test_other_prompts_are_read_as_ever(prompt: str) -> None:
    encoder, _ = between(0.25, 0.5)
    assert torch.equal(encoder.encode([prompt])[0], INNER.encode([prompt])[0])
    assert encoder.lengths([prompt]) == INNER.lengths([prompt])


def test_what_else_the_encoder_has_is_still_there() -> None:
    encoder, _ = between(0.5)
    assert (encoder.name, encoder.max_length) == ("words", 9)
    with pytest.raises(AttributeError):
        encoder.nothing  # noqa: B018
