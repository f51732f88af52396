"""What an encoder loses of a text is said: words beyond its length, and words it cannot know."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st
from tiny_world import sample
from tokenizers import Tokenizer, models, pre_tokenizers

from imagen_lit import embed_text
from imagen_lit.cli import config
from imagen_lit.data import lost_captions, sidecar
from imagen_lit.data.loader import Data
from imagen_lit.data.shard_files import shard
from imagen_lit.shapes import nano_t5
from imagen_lit.text import lost_text
from imagen_lit.text.encoder import HuggingFace

LONG = "a red circle above a blue square " * 7 + "and a green cross at night"


def t5_nano(folder: Path, max_length: int = 48) -> HuggingFace:
    if not folder.exists():
        tokenizer = nano_t5.make_tokenizer()
        model = nano_t5.FullT5(nano_t5.make_config(len(tokenizer), 128, 1, 8))
        nano_t5.save(model, tokenizer, str(folder))
    load = transformers.T5EncoderModel.from_pretrained
    return HuggingFace("t5_nano", str(folder), load, 128, max_length, device="cpu")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> HuggingFace:
    return t5_nano(tmp_path_factory.mktemp("encoders") / "t5_nano")


words = st.lists(st.sampled_from("a red circle zebra снег #1 above".split()), max_size=40)


@given(words)
def test_what_is_kept_and_what_is_lost_are_the_whole_text(
    encoder: HuggingFace, words: list[str]
) -> None:
    text = " ".join(words)
    lost = lost_text.words_beyond(encoder, text)
    kept = text.removesuffix(lost).strip()
    assert " ".join(filter(None, (kept, lost))) == text
    assert len(encoder.token_ids([kept])[0]) <= encoder.max_length
    if lost:
        more = f"{kept} {lost.split()[0]}".strip()
        assert len(encoder.token_ids([more])[0]) > encoder.max_length
    assert bool(lost) == (len(encoder.token_ids([text])[0]) > encoder.max_length)


def test_lengths_are_those_of_what_is_encoded(encoder: HuggingFace) -> None:
    captions = ["a red circle", LONG, "", "снег"]
    _, mask = encoder.encode(captions)
    assert encoder.lengths(captions) == mask.sum(1).tolist()
    assert lost_text.CountingEncoder(encoder).lengths(captions) == mask.sum(1).tolist()


def test_unknown_words_are_those_without_tokens_of_their_own(encoder: HuggingFace) -> None:
    texts = ["a zebra above a снег, and #1", "A RED circle on a café", "the cat", "3.5 x"]
    assert lost_text.unknown_words(encoder, texts) == {"zebra", "снег", "#", "café", "cat"}
    assert lost_text.unknown_words(encoder, []) == set()


def test_a_vocabulary_of_words_has_an_unknown_token_and_one_of_bytes_has_none(
    tmp_path: Path,
) -> None:
    def encoder(core: Tokenizer, **special: str) -> Any:
        transformers.PreTrainedTokenizerFast(tokenizer_object=core, **special).save_pretrained(
            tmp_path
        )
        model = transformers.BertConfig(hidden_size=8, num_attention_heads=2)
        model.save_pretrained(tmp_path)
        return HuggingFace("other", str(tmp_path), print, 8)

    bert = Tokenizer(models.WordPiece({"[UNK]": 0, "red": 1, "c": 2, "##a": 3, "##t": 4}))
    bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    unknown = lost_text.unknown_words(encoder(bert, unk_token="[UNK]"), ["red cat снег"])
    assert unknown == {"cat", "снег"}
    letters = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [("c", "a"), ("ca", "t")]
    clip = Tokenizer(models.BPE(letters | {"ca": 256, "cat": 257}, merges))
    clip.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert lost_text.unknown_words(encoder(clip), ["a cat снег 雪"]) == {"снег"}


def test_prompts_are_warned_of_once_with_the_words_that_are_lost(encoder: HuggingFace) -> None:
    with pytest.warns(UserWarning) as record:
        lost_text.warn(encoder, [LONG, "a zebra on снег", "a zebra", LONG])
    cut, unknown = (str(each.message) for each in record)
    assert "longer than the 48 tokens" in cut and cut.endswith(
        "'blue square and a green cross at night'"
    )
    assert unknown == "the text encoder t5_nano does not know words of prompts: night, zebra, снег"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lost_text.warn(encoder, ["a red circle", ""])
        lost_text.warn(encoder, [])


CAPTIONS = ["a red circle", LONG, "a zebra on снег", "a zebra", "a red circle", LONG]
CUT = "2 of 6 captions are longer than t5_nano reads: of 'a red circle above a blue square"
UNKNOWN = "4 of 6 captions have words that t5_nano does not know, most often night (2), zebra (2)"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two shards of these captions, and an encoder."""
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        captions = CAPTIONS[3 * number : 3 * number + 3]
        samples = [sample(3 * number + n, caption=c) for n, c in enumerate(captions)]
        shard.write(tmp_path / "laion" / f"{number:05d}.tar", samples)
    t5_nano(tmp_path / "encoders/t5_nano")
    return tmp_path


def embed(*words: str) -> None:
    embed_text.main(config.compose("embed_text", ["shards=laion", "text.device=cpu", *words]))


def test_embedding_counts_what_is_lost_again_from_the_files(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embed("dry_run=true", "trial_seconds=0.01")
    report = capsys.readouterr().out
    assert f"lost     {CUT}" in report and f"lost     {UNKNOWN}" in report
    for _ in range(2):  # the second time from what the files say
        embed()
        report = capsys.readouterr().out
        assert CUT in report and UNKNOWN in report
        assert "it loses 'blue square and a green cross at night'" in report
    header = sidecar.Sidecar(place / "laion.text/t5_nano/00001.safetensors").fields
    assert (header["lost.captions"], header["lost.cut"], header["lost.unknown"]) == ("3", "1", "2")


def test_captions_are_tokenised_no_second_time_to_be_counted(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    plain = HuggingFace.token_ids

    def token_ids(self: HuggingFace, captions: list[str]) -> list[list[int]]:
        asked.extend(captions)
        return plain(self, captions)

    monkeypatch.setattr(HuggingFace, "token_ids", token_ids)
    embed()
    assert [asked.count(caption) for caption in ("a zebra", "a zebra on снег")] == [1, 1]
    monkeypatch.setattr(HuggingFace, "token_ids", plain)


def test_training_is_told_what_its_embeddings_lack(place: Path) -> None:
    embed()
    for _ in range(2):  # the second time from the cache
        data = Data("laion", "t5_nano", size=8, batch_size=2, validation=0)
        data.setup()
        assert [note.partition(": ")[0] for note in data.notes] == ["laion", "laion"]
        assert CUT in data.notes[0] and UNKNOWN in data.notes[1]


def test_a_cache_of_an_earlier_version_is_read_and_nothing_is_said(place: Path) -> None:
    embed()
    for path in (place / "laion.text/t5_nano").glob("*.safetensors"):
        file = sidecar.Sidecar(path)
        fields = {k: v for k, v in file.fields.items() if k not in lost_captions.of(file.fields)}
        sidecar.write(path, [file.row(row) for row in range(len(file))], fields)
    before = [path.read_bytes() for path in sorted((place / "laion.text/t5_nano").iterdir())]
    embed()
    assert before == [p.read_bytes() for p in sorted((place / "laion.text/t5_nano").iterdir())]
    data = Data("laion", "t5_nano", size=8, batch_size=2, validation=0)
    data.setup()
    assert data.notes == []


def test_the_same_captions_give_the_same_header_in_any_order() -> None:
    unknown = [{"zebra"}, {"yak", "zebra"}, {"yak"}, set(), {"emu"}]
    one = lost_captions.fields(5, 0, None, unknown)
    other = lost_captions.fields(5, 0, None, unknown[::-1])
    assert one == other and json.loads(one["lost.words"]) == [["yak", 2], ["zebra", 2], ["emu", 1]]
    assert lost_captions.report("t5", [one, {}, other]) == [
        "8 of 10 captions have words that t5 does not know, most often yak (4), zebra (4), emu (2)"
    ]
