"""What a study refuses, each in a sentence that says what to do."""

import json
from pathlib import Path
from typing import Any

import pytest
import rated_images
from PIL import Image

from imagen_lit.basics import pixels, png_metadata
from imagen_lit.basics.errors import InputError
from imagen_lit.rating import prompt_facts, system
from imagen_lit.rating.coco import Coco, categories
from imagen_lit.rating.database import Database
from imagen_lit.rating.drawbench import DrawBench
from imagen_lit.rating.fine import Fine
from imagen_lit.rating.session import Session
from imagen_lit.rating.trial import Trial, from_json, to_json


def refusal(act: Any, *words: Any) -> str:
    with pytest.raises(InputError) as error:
        act(*words)
    return str(error.value)


def test_our_own_images_need_no_list(tmp_path: Path) -> None:
    for seed in (10, 9):
        texts = png_metadata.texts({"prompt": "a red circle", "seed": seed}, "a red circle")
        pixels.save_png(Image.new("RGB", (4, 4)), tmp_path / "sr" / f"{seed}.png", texts)
    Image.new("RGB", (9, 9)).save(tmp_path / "sheet.png")
    there = system.read("ours", tmp_path)
    assert list(there.sets) == ["a red circle"] and there.size == (4, 4)
    assert there.sets["a red circle"].files == ("sr/9.png", "sr/10.png"), "in order of their seeds"


def test_a_folder_without_prompts_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    message = refusal(system.read, "ours", tmp_path)
    assert "says of no image which prompt" in message and "Write prompts.jsonl" in message
    assert "is no folder" in refusal(system.read, "ours", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"file": "9.png", "prompt": "x"}', "not there"),
        ('{"file": "../secret.png", "prompt": "x"}', "outside"),
        ('{"file": "/etc/hostname", "prompt": "x"}', "outside"),
        ('{"file": "link.png", "prompt": "x"}', "outside"),
        ('{"file": "words.png", "prompt": "x"}', "no whole image"),
        ('{"file": "cut.png", "prompt": "x"}', "no whole image"),
        ('{"file": "a.png"}', "line 1"),
        ('{"file": "a.png", "prompt": " "}', "line 1"),
        ("[]", "line 1"),
        ("{", "line 1"),
        ("\udcff", "line 1"),
    ],
)
def test_a_row_that_cannot_be_shown_is_refused(tmp_path: Path, line: str, problem: str) -> None:
    place = tmp_path / "images"
    place.mkdir()
    Image.new("RGB", (40, 40), (3, 200, 9)).save(tmp_path / "secret.png")
    (place / "link.png").symlink_to(tmp_path / "secret.png")
    (place / "words.png").write_text("words")
    (place / "cut.png").write_bytes((tmp_path / "secret.png").read_bytes()[:80])
    (place / system.LIST).write_bytes(line.encode(errors="surrogateescape"))
    assert problem in refusal(system.read, "ours", place)


def test_two_systems_that_share_no_prompt_are_refused(tmp_path: Path) -> None:
    one, other = rated_images.systems(tmp_path, "one", "other")
    renamed = system.System(other.name, other.folder, {"else": other.sets["prompt 0"]}, None, "")
    assert "share no prompt" in refusal(DrawBench().trials, [one, renamed], 0)


def test_images_of_other_sizes_are_refused_or_shown_alike(tmp_path: Path) -> None:
    small = system.read("small", rated_images.folder(tmp_path / "a", size=(8, 8)))
    large = system.read("large", rated_images.folder(tmp_path / "b", size=(16, 16)))
    message = refusal(system.refuse_other_sizes, [small, large], None)
    assert "small 8×8, large 16×16" in message and "Set edge=" in message
    system.refuse_other_sizes([small, large], 8)


def test_a_study_goes_on_only_as_it_began(tmp_path: Path) -> None:
    first = rated_images.begin(tmp_path, Fine())
    links = first.database.tokens, first.database.owner
    first.database.close()
    begun = rated_images.begin(tmp_path)  # nobody has voted yet
    assert (begun.database.tokens, begun.database.owner) == links
    Session(begun, 0).answer(0, 0, 1.0)
    begun.database.close()
    rated_images.begin(tmp_path).database.close()
    message = refusal(rated_images.begin, tmp_path, Fine())
    assert "votes of another study" in message and "protocol is" in message
    Image.new("RGB", (8, 8), (1, 1, 1)).save(tmp_path / "ours" / "0_0.png")
    study = rated_images.begin  # the helper writes the images anew, but another number of them
    assert "systems.ours" in refusal(lambda: study(tmp_path, images=1))


def test_a_file_that_is_no_database_of_ratings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "votes.sqlite").write_text("something else entirely, of some length" * 40)
    assert "is no database of ratings" in refusal(Database, tmp_path / "votes.sqlite")


def test_a_set_is_as_large_as_the_smaller_systems(tmp_path: Path) -> None:
    few = system.read("few", rated_images.folder(tmp_path / "few", images=3))
    many = system.read("many", rated_images.folder(tmp_path / "many", images=12))
    for protocol in (DrawBench(), Fine()):
        trials = protocol.trials([few, many], 0)
        assert {len(each.files) for trial in trials for each in trial.sets} == {3}
    (trial, *_) = DrawBench(images=2).trials([few, many], 0)
    assert [len(each.files) for each in trial.sets] == [2, 2]


def test_several_systems_meet_in_pairs_or_all_against_one(tmp_path: Path) -> None:
    systems = rated_images.systems(tmp_path, "a", "b", "c", prompts=1)
    pairs = {trial.systems for trial in DrawBench().trials(systems, 0)}
    assert pairs == {("a", "b"), ("a", "c"), ("b", "c")}
    pairs = {trial.systems for trial in DrawBench(against="b").trials(systems, 0)}
    assert pairs == {("a", "b"), ("c", "b")}
    assert "Name one of systems" in refusal(DrawBench(against="d").trials, systems, 0)
    assert "no comparison" in refusal(DrawBench().trials, systems[:1], 0)


def test_a_prompts_own_question_takes_the_place_of_the_skills(tmp_path: Path) -> None:
    own = {"question": "How many dogs?", "answer": "three"}
    asked = system.read("a", rated_images.folder(tmp_path / "a", prompts=1, **own))
    plain = system.read("b", rated_images.folder(tmp_path / "b", prompts=1))
    names = [[q.name for q in Fine().trials([each], 0)[0].questions] for each in (asked, plain)]
    assert names[0] == ["difficulty", "alignment", "fidelity", "own question"]
    assert names[1] == ["difficulty", "alignment", "fidelity", "counts", "colours", "relations"]
    assert "three" in Fine().trials([asked], 0)[0].questions[-1].words
    assert "rating.skills" in refusal(Fine, 8, ("speling",))


@pytest.mark.parametrize(
    ("caption", "has_people"),
    [
        ("A man rides a wave", True),
        ("Two tennis PLAYERS", False),  # the paper's list has the singular
        ("a soccer player, running", True),
        ("A manhole in the street", False),
        ("Someone's cat", True),
        ("a cat", False),
    ],
)
def test_captions_with_people_are_those_with_the_papers_words(
    caption: str, has_people: bool
) -> None:
    assert (categories(caption) == ()) == has_people


def test_a_control_has_a_known_answer_and_one_trial_in_ten_is_one(tmp_path: Path) -> None:
    systems = rated_images.systems(tmp_path, "original", "ours", prompts=30, images=1)
    trials = Coco(controls=10).trials(systems, 0)
    controls = [trial for trial in trials if trial.right is not None]
    assert len(controls) == pytest.approx(len(trials) / 10, abs=1)
    for trial in controls:
        assert {each.system for each in trial.sets} == {"original"}
        if len(trial.sets) == 2:
            assert [each.is_spoilt for each in trial.sets] == [False, True]
        else:
            own = trial.sets[0].files[0].partition("_")[0]
            assert trial.right == 0.0 and trial.prompt != f"prompt {own}"
    assert not [t for t in Coco(controls=None).trials(systems, 0) if t.right is not None]


def test_trials_come_back_from_the_database_as_they_were(tmp_path: Path) -> None:
    systems = rated_images.systems(tmp_path, "original", "ours")
    for protocol in (DrawBench(), Fine(), Coco()):
        for trial in protocol.trials(systems, 0):
            again: Trial = from_json(json.loads(json.dumps(to_json(trial))))
            assert again == trial


SHEETS = {
    "drawbench.csv": '\ufeffPrompts,Category\n"prompt 0 ","Gary Marcus et al. "\nother,Text\n',
    "suite.jsonl": '{"prompt": "prompt 0", "ability": "Gary Marcus et al."}\n\n[]\n',
    "results.jsonl": '{"prompt": "prompt 0", "matches": {}, "seed": 3}\n'
    '{"prompt": "prompt 0", "category": "Gary Marcus et al."}',
}


@pytest.mark.parametrize("name", SHEETS)
def test_a_file_may_say_what_the_folder_does_not(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(SHEETS[name])
    there = system.read("ours", rated_images.folder(tmp_path / "ours", category="", answer="own"))
    more = prompt_facts.add(there, prompt_facts.read(tmp_path / name)).sets
    assert more["prompt 0"].category == "Gary Marcus et al."
    assert (more["prompt 1"].category, more["prompt 0"].answer) == ("", "own")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a,b\n1,2\n", "no row with a prompt"),
        (b"prompt\nelse\n", "knows no prompt of ours"),
        (b"prompt\n\xff\n", "cannot be read as a table"),
        (b'prompt\n"open\n', "cannot be read as a table"),
        (None, "is no file"),
    ],
)
def test_a_file_that_says_nothing_of_the_prompts_is_refused(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    there = system.read("ours", rated_images.folder(tmp_path / "ours"))
    if content is not None:
        (tmp_path / "facts.csv").write_bytes(content)
    read = lambda: prompt_facts.add(there, prompt_facts.read(tmp_path / "facts.csv"))  # noqa: E731
    assert problem in refusal(read)
