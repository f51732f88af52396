"""What guidance leads away from decides an image, and its file says it; a guide that does not fit
is refused before anything is drawn."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from tiny_run import FINGERPRINT, leave_run

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cli import config
from imagen_lit.run import provenance


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    leave_run(runs, "base", images=64, seed=1)
    leave_run(runs, "base", images=128)
    leave_run(runs, "sr", images=128)
    return runs


def build(runs: Path, *words: str) -> tuple[Cascade, dict[str, Any]]:
    cfg = config.compose("sample", [f"runs={runs}", "~cascade.sr2", *words]).cascade
    cascade: Cascade = config.build(cfg)
    settings = {"cascade": OmegaConf.to_container(cfg, resolve=True)}
    return cascade, provenance.describe(cascade.weights, FINGERPRINT, settings)


def test_another_reference_is_another_image_in_its_name_and_in_its_file(runs: Path) -> None:
    words: dict[str, list[str]] = {
        "usual": [],
        "usual, its run named": ["cascade.base.guide.run=null", "cascade.base.negative=null"],
        "negative": ["cascade.base.negative=blue"],
        "worded": ["cascade.base.prompt=blue"],
        "other negative": ["cascade.base.negative=red"],
        "of the larger stage": ["cascade.sr.negative=blue"],
        "earlier": ["cascade.base.guide.images=64"],
        "itself": [f"cascade.base.guide.run={runs}/demo/base"],
        "earlier, without text": ["cascade.base.guide.images=64", "cascade.base.negative=''"],
    }
    built = {name: build(runs, *each) for name, each in words.items()}
    digests = {name: provenance.digest(source) for name, (_, source) in built.items()}
    assert digests["usual"] == digests["usual, its run named"]
    assert len({*digests.values()}) == len(words) - 1
    facts = {n: image_files.facts(c, source, "sr", ("a", 0)) for n, (c, source) in built.items()}
    assert {"negative", "guide"}.isdisjoint(facts["usual"]["cascade"]["base"])
    assert facts["negative"]["cascade"]["base"]["negative"] == "blue"
    assert "negative" not in facts["negative"]["cascade"]["sr"]
    guide = facts["earlier"]["cascade"]["base"]["guide"]
    assert guide["images_seen"] == 64 and guide["digest"] and guide["settings"]
    decisive = [image_files._decisive(each) for each in facts.values()]
    assert len({repr(sorted(each.items())) for each in decisive}) == len(words) - 1


def test_an_earlier_guide_is_asked_for_by_number_and_by_weights(runs: Path) -> None:
    one, other = (
        build(runs, f"cascade.base.guide.run={runs}/demo/base", *words)[1]
        for words in ([], ["cascade.base.guide.images=128"])
    )
    assert provenance._request(one) == provenance._request(other)
    assert provenance.digest(one) == provenance.digest(other), "the newest is that after 128"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("base.guide.run={0}/none", r"no run in .*none, which is to guide stage 'base'\. Set"),
        ("base.guide.images=99", r"guide\.images=99: .* has no such checkpoint.*64, 128\. Set"),
        ("base.guide.run={0}/demo/sr", r"draws images of 64, 4 times.*16 from text alone\. Set"),
    ],
)
def test_a_guide_that_does_not_fit_is_refused(runs: Path, word: str, message: str) -> None:
    cfg = config.compose("sample", [f"runs={runs}", f"cascade.{word.format(runs)}"]).cascade
    cascade = Cascade(base=config.build(cfg.base))
    with pytest.raises(InputError, match=message):
        cascade.check(FINGERPRINT)


@pytest.mark.parametrize(
    "words", [["guide.run={0}/demo/base"], ["guide.images=128"], ["guide.images=64", "images=64"]]
)
def test_a_network_that_guides_itself_is_refused(
    runs: Path, tmp_path: Path, words: list[str]
) -> None:
    typed = [f"cascade.base.{word.format(runs)}" for word in words]
    with pytest.raises(InputError, match=r"guided by itself: .*lead nowhere\. Set cascade\.base"):
        build(runs, *typed)[0].check(FINGERPRINT)
    build(runs, *typed, "cascade.base.negative=''")[0].check(FINGERPRINT)
    build(runs, "cascade.base.guide.images=64")[0].check(FINGERPRINT)
    copy = shutil.copytree(runs / "demo/base", tmp_path / "copy")
    with pytest.raises(InputError, match="copy after 128 images has its very weights"):
        build(runs, f"cascade.base.guide.run={copy}")[0].check(FINGERPRINT)


def test_guides_are_loaded_with_their_stage_and_all_texts_are_known(runs: Path) -> None:
    words = ["cascade.base.guide.images=64", "cascade.base.negative=blue"]
    cascade, _ = build(runs, *words, "cascade.sr.prompt='oil {prompt}'")
    cascade.load_weights()
    assert [len(each.denoisers) for each in cascade.stages.values()] == [2, 1]
    assert set(cascade.texts(["a", ""])) == {"a", "", "oil a", "blue"}
