"""Evaluations side by side: their table, their differences in pairs, and what is not compared."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from imagen_lit import compare
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.evaluation.protocol import digest
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics import measured

PROMPTS = [f"prompt {number}" for number in range(40)]
NOISE = np.random.default_rng(0).normal(size=len(PROMPTS))


def leave(runs: Path, name: str, shift: float = 0.0, n: int = 40, weight: float = 1.0) -> None:
    """An evaluation whose `exact` and `chroma` are `shift` above a common noise."""
    folder = runs / name
    folder.mkdir(parents=True)
    facts = {"sample": {"count": n}}
    scores = []
    for number, metric in enumerate(("exact", "chroma")):
        values = NOISE * (1 + number) + shift
        interval = (float(values.mean()) - 0.3, float(values.mean()) + 0.3)
        protocol = {"score": metric, **facts}
        scores.append(
            ("sr", Score(metric, float(values.mean()), interval, n, "made up", protocol, values))
        )
    whole = measured.of(scores)
    provenance = {"cascade": {"base": {"recipe": {"guidance": {"weight": weight}}}}}
    content = {"provenance": provenance, **measured.merge({}, whole)}
    (folder / "scores.json").write_text(json.dumps(content))
    measured.write_values(folder, whole, PROMPTS, list(range(40)), False)


def run(runs: Path, names: str, *words: str) -> None:
    command = [f"evaluations=[{names}]", f"runs={runs}", *words]
    compare.main(config.compose("compare", command))


def test_pairs_show_a_difference_that_the_scores_alone_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(tmp_path, "first")
    leave(tmp_path, "second", shift=0.1)  # far within the interval of either
    run(tmp_path, "first,second")
    text = capsys.readouterr().out
    assert "exact: second − first = +0.1" in text
    lines = {line.partition(":")[0]: line for line in text.splitlines()}
    assert "no winner: its interval is not known" in lines["exact"], "all pairs differ alike"
    assert "winner" in lines["chroma"]


def test_a_winner_is_named_where_the_interval_allows_it_and_only_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path, "first")
    other = np.random.default_rng(1).normal(size=len(PROMPTS))
    for name, shift in (("better", 2.0), ("alike", 0.0)):
        monkeypatch.setattr(f"{__name__}.NOISE", other)
        leave(tmp_path, name, shift=shift)
    run(tmp_path, "first,better,alike")
    lines = capsys.readouterr().out.splitlines()
    exact = [line for line in lines if line.startswith("exact: ")]
    assert "better is better" in exact[0] and "no winner" in exact[1]
    (chroma,) = (line for line in lines if line.startswith("chroma: better"))
    assert "they differ" in chroma, "more chroma is neither better nor worse"


def test_scores_of_two_protocols_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(tmp_path, "first")
    leave(tmp_path, "second", n=41)
    with pytest.raises(InputError, match=r"no score of one protocol in common\. Type eval"):
        run(tmp_path, "first,second")
    reasons = capsys.readouterr().out.splitlines()
    assert reasons == ["exact, chroma are left out: 40 images in first, 41 in second"]


def test_what_is_measured_otherwise_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where an evaluation has it in both ways, as after other settings of a metric."""
    for name, n in (("first", 40), ("second", 41)):
        leave(tmp_path, name)
        file = tmp_path / name / "scores.json"
        content = json.loads(file.read_text())
        facts = {"score": "kid", "sample": {"count": n}}
        row = {"metric": "kid", "value": 0.1, "interval": None, "n": n, "method": "made up"}
        content["scores"].append({"stage": "sr", **row, "protocol": digest(facts)})
        content["protocols"][digest(facts)] = facts
        file.write_text(json.dumps(content))
    run(tmp_path, "first,second")
    text = capsys.readouterr().out
    assert "exact" in text.splitlines()[0] and "kid" not in text.splitlines()[0]
    assert "kid is left out: 40 images in first, 41 in second" in text
    run(tmp_path, "first,second", "only=[chroma]")
    assert "exact" not in capsys.readouterr().out


def test_a_sweep_becomes_tables_and_the_figure(tmp_path: Path) -> None:
    for weight in (1.0, 2.0, 4.0):
        leave(tmp_path, f"sweep/w{weight:g}", shift=weight / 10, weight=weight)
    words = ["x=chroma", "y=exact", "parameter=cascade.base.recipe.guidance.weight"]
    run(tmp_path, "sweep", *words, f"out={tmp_path / 'out'}")
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        *(f"comparison.{suffix}" for suffix in ("md", "csv", "tex")),
        *(f"exact_chroma.{suffix}" for suffix in ("png", "svg")),
    }
    rows = list(csv.DictReader((tmp_path / "out/comparison.csv").open()))
    assert [float(row["weight"]) for row in rows] == [1, 2, 4]
    run(tmp_path, "sweep", words[2], "only=[exact]", f"out={tmp_path / 'over'}")
    assert (tmp_path / "over/exact.svg").is_file(), "without x and y, each score over the parameter"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["first,frist"], r"there is no evaluation in .*frist\. Name one of first.*did you mean f"),
        (["first,first"], r"first is named twice\. Name each evaluation once in evaluations="),
        (["first", "only=[exat]"], r"no .* exat \(did you mean exact\?\)\. .* exact, chroma"),
        (["first", "only=exat"], r"no evaluation has a score exat"),
        (["first", "x=exact"], "needs both x and y"),
        (["first", "x=exact", "y=chroma"], "nothing tells the points"),
        (["first", "only_stage=sr2"], r"first has no stage sr2\. Set only_stage="),
        (["first", "parameter=nothing"], "has no setting nothing"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, words: list[str], sentence: str
) -> None:
    leave(tmp_path, "first")
    with pytest.raises(InputError, match=sentence):
        run(tmp_path, *words)


def test_without_evaluations_an_example_is_given(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"which evaluations.*Set evaluations=\[demo/evaluation"):
        compare.main(config.compose("compare", [f"runs={tmp_path}"]))


def test_two_points_of_one_place_are_told_what_sets_them_apart(tmp_path: Path) -> None:
    for name in ("first", "second"):
        leave(tmp_path, name)
    file = tmp_path / "second/scores.json"
    content = json.loads(file.read_text())
    content["provenance"]["cascade"]["base"]["recipe"]["steps"] = 9
    file.write_text(json.dumps(content))
    words = ["x=chroma", "y=exact", "parameter=guidance.weight"]
    with pytest.raises(InputError, match=r"same guidance\.weight \(1\.0\).*recipe\.steps"):
        run(tmp_path, "first,second", *words)


def test_it_says_which_stage_is_shown_and_of_how_many_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(tmp_path, "first")
    run(tmp_path, "first")
    assert "stage" not in capsys.readouterr().out
    file = tmp_path / "first/scores.json"
    content = json.loads(file.read_text())
    content["scores"] += [row | {"stage": "sr2"} for row in content["scores"]]
    file.write_text(json.dumps(content))
    run(tmp_path, "first")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "scores of the stage sr2; only_stage=sr shows another's"
    assert next(line for line in lines if line.startswith("  first")).endswith("  n=40")


def test_a_score_that_one_lacks_is_named_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "second"):
        leave(tmp_path, name)
    file = tmp_path / "second/scores.json"
    content = json.loads(file.read_text())
    content["scores"] = [row for row in content["scores"] if row["metric"] == "exact"]
    file.write_text(json.dumps(content))
    run(tmp_path, "first,second", "only=[exact,chroma]")
    assert "chroma is left out: of 2 evaluations only first has it" in capsys.readouterr().out


def test_damaged_values_are_named(tmp_path: Path) -> None:
    leave(tmp_path, "first")
    (tmp_path / "first/image_values.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"image_values.npz is damaged\. Remove it"):
        run(tmp_path, "first")


def test_the_table_fits_a_terminal_and_says_why_an_interval_is_lacking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a/rather/long/name_of_an_evaluation", "another/rather/long/name"):
        leave(tmp_path, name)
        file = tmp_path / name / "scores.json"
        content = json.loads(file.read_text())
        for number in range(6):
            facts = {"score": f"recall_{number}"}
            row = {"metric": f"recall_{number}", "value": 0.0, "interval": None, "n": 40}
            row |= {"method": "no interval: 20 blocks of prompts, all alike"}
            content["scores"].append({"stage": "sr", **row, "protocol": digest(facts)})
            content["protocols"][digest(facts)] = facts
        file.write_text(json.dumps(content))
    run(tmp_path, "a/rather/long/name_of_an_evaluation,another/rather/long/name")
    text = capsys.readouterr().out
    table = text.partition("\n\nexact: ")[0]
    assert max(map(len, table.splitlines())) <= 100 and "0.000" not in table
    assert "No interval of recall_0: 20 blocks of prompts, all alike." in " ".join(table.split())
