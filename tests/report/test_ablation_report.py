"""The report of an ablation: right when half finished, never louder than its numbers."""

import csv
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import browser
import left_ablation
import numpy as np
import pytest
from left_ablation import learning, leave, plan, trade_off
from test_runs_page import Parsed, check_laws

from imagen_lit.report import (
    ablation_figure,
    ablation_index,
    ablation_marks,
    ablation_report,
    figure,
    paper_claim,
)
from imagen_lit.report.ablation_answer import AGAINST, AGREE

Value = Callable[[str, str, str, int], float]


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda file: None)


def apart(seed: int = 0) -> Value:
    """`t5_nano` is far better than the others in both scores."""
    rng = np.random.default_rng(seed)

    def value(metric: str, arm: str, place: str, training: int) -> float:
        is_good, noise = arm == "t5_nano", float(rng.normal(0, 0.01))
        return 0.3 + 0.4 * is_good + noise if metric == "exact" else 5 - 2 * is_good + noise

    return value


def alike(seed: int) -> Value:
    rng = np.random.default_rng(seed)
    return lambda metric, arm, place, training: float(0.5 + rng.normal(0, 0.05))


def facts(page: Path) -> dict[str, Any]:
    return json.loads((page.parent / "report.json").read_text())


def test_a_full_report_says_who_is_better_and_what_was_expected(tmp_path: Path) -> None:
    made = plan()
    page = ablation_report.write(made, leave(tmp_path, made, apart(), with_images=True), tmp_path)
    assert page == tmp_path / "ablation/demo/reports/text_encoder/index.html"
    html, markdown = page.read_text(), (page.parent / "report.md").read_text()
    check_laws(Parsed(page), page.parent)
    check_laws(Parsed(page.parents[1] / "index.html"), page.parents[1])
    for text in (html, markdown.replace("\\", "")):
        assert "Does a larger text encoder make a better base model?" in text
        assert "t5_nano is better than t5_nano_random (over training seeds)" in text
        assert "This is as expected." in text
        assert "All 30 cells are done." in text
        assert "can be told apart" in text and "the smallest" not in text.partition("Answer")[0]
        assert "A larger T5 gives better FID" in text and "it prints none for 4a" in text
        assert "0123456789ab (30×)" in text and "2.9.0 (30×)" in text
        assert "python -m imagen" in text and "a red disc" in text
    assert "What is missing" not in html
    for known in facts(page)["figures"]:
        assert {each["better"] for each in known["apart"]} == {"t5_nano"}
        assert {each["expectation"] for each in known["apart"]} == {"as expected"}
    for name in re.findall(r"\]\(([^)]+)\)", markdown):
        assert (page.parent / name).exists(), name
    rows = list(csv.DictReader((page.parent / "trade_off_points.csv").open()))
    assert len(rows) == 2 * 2 * 2 and {row["trainings"] for row in rows} == {"3"}


def test_against_the_expectation_is_said(tmp_path: Path) -> None:
    made = plan(("t5_nano", "t5_nano_random"))
    worse = apart()
    entries = leave(
        tmp_path,
        made,
        lambda m, arm, p, s: worse(m, "t5_nano" if arm == "t5_nano_random" else "", p, s),
    )
    page = ablation_report.write(made, entries, tmp_path)
    assert "Against the expectation: t5_nano_random above t5_nano" in page.read_text()
    index = (page.parents[1] / "index.html").read_text()
    assert "contradicted" in index


def test_ten_arms_that_do_not_differ_have_no_winner(tmp_path: Path) -> None:
    made = plan([f"arm{number}" for number in range(10)], figures=[trade_off(("1",))])
    page = ablation_report.write(made, leave(tmp_path, made, alike(3)), tmp_path)
    (known,) = facts(page)["figures"]
    assert known["apart"] == [] and known["compared"] == 90
    assert "no two of the 10 arms can be told apart (45 comparisons" in page.read_text()
    assert "can be told apart<" not in page.read_text().replace("cannot be told apart<", "")


def test_one_arm_twice_with_ten_seeds_has_a_winner_as_rarely_as_chance_allows(
    tmp_path: Path,
) -> None:
    """An A/A test, at 5 % for both scores together: three of twelve have a chance of 2 %."""
    made = plan(["one", "the_same"], seeds=range(10), figures=[trade_off(("1",))])
    winners = 0
    for noise in range(12):
        runs = tmp_path / str(noise)
        page = ablation_report.write(made, leave(runs, made, alike(noise)), runs)
        (known,) = facts(page)["figures"]
        assert known["seeds"] == 10 and known["compared"] == 2
        assert bool(known["apart"]) == ("is better than" in known["answer"])
        winners += bool(known["apart"])
    assert winners < 3


def test_a_single_seed_has_intervals_over_prompts_and_a_sentence_about_it(tmp_path: Path) -> None:
    made = plan(seeds=[0])
    page = ablation_report.write(made, leave(tmp_path, made, apart()), tmp_path)
    text = page.read_text()
    assert "Training seeds were not varied" in text and "over prompts of single trainings" in text
    assert "over training seeds (t)" not in text
    assert "the spread over prompts is not that over trainings" in text
    found = {each["metric"] for each in facts(page)["figures"][0]["apart"]}
    assert found <= {"exact"}


def test_a_distance_without_a_value_of_each_image_has_an_interval_and_no_winner(
    tmp_path: Path,
) -> None:
    """Oracle: ±0.1 of both arms are ±0.1 √2 of their difference, at one place and at two."""
    made = plan(seeds=[0], figures=[trade_off(("1", "2"))])
    page = ablation_report.write(made, leave(tmp_path, made, apart()), tmp_path)
    text = page.read_text()
    assert "By quality (kid) no arm is called better: the arms have single trainings" in text
    assert "not tested, interval from both, over prompts" in text
    rows = list(csv.DictReader((page.parent / "trade_off_arms.csv").open()))
    (row,) = (row for row in rows if (row["score"], row["arm"]) == ("kid", "t5_nano"))
    low, middle, high = (float(row[f"minus_{key}"]) for key in ("low", "first", "high"))
    assert (high - middle, middle - low) == pytest.approx((0.1 * 2**0.5,) * 2)
    assert (row["over"], row["told_apart"], row["p"]) == ("prompts", "untested", "")


def test_a_distance_with_a_value_of_each_image_is_tested_over_prompts(tmp_path: Path) -> None:
    made = plan(seeds=[0], figures=[trade_off(("1",))])
    many = [f"prompt {number}" for number in range(12)]
    entries = leave(tmp_path, made, apart(), prompts=many)
    for cell in made.of("evaluate"):  # a KID's influence values, as metrics/mean_scores.py has them
        file = tmp_path / cell.name / "image_values.npz"
        (row,) = (
            row
            for row in json.loads(file.with_name("scores.json").read_text())["scores"]
            if row["metric"] == "kid"
        )
        arrays = dict(np.load(file))
        arrays[f"base@{row['protocol']}"] = row["value"] * (1 + np.linspace(-0.1, 0.1, len(many)))
        np.savez(file, **arrays)
    page = ablation_report.write(made, entries, tmp_path)
    found = {each["metric"]: each["better"] for each in facts(page)["figures"][0]["apart"]}
    assert found["kid"] == "t5_nano"
    assert "over prompts of single trainings, which says nothing about others" in page.read_text()
    assert "reproduced, by single trainings" in (page.parents[1] / "index.html").read_text()


def test_every_subset_of_cells_gives_a_page_that_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure, "write", lambda drawing, file: None)  # pictures take their time
    made = plan(seeds=[0, 1], figures=[trade_off(("1",))])
    drawn = [cell.name for cell in made.of("evaluate")]
    assert len(drawn) == 4
    value = apart()
    for number, lack in enumerate(
        itertools.chain.from_iterable(itertools.combinations(drawn, n) for n in range(5))
    ):
        runs = tmp_path / str(number)
        page = ablation_report.write(made, leave(runs, made, value, lack), runs, runs / "out")
        text, known = page.read_text(), facts(page)
        assert known["cells"] - known["done"] == len(lack)
        assert ("Half finished" in text) == bool(lack)
        for cell in lack:
            (point,) = [p for p in made.points["trade_off"] if p.cell == cell]
            assert f"{point.arm['encoder']}, seed {point.seed}: missing" in text
        if len(lack) == 4:
            assert "Nothing is there to be drawn yet" in text and "nothing can be compared" in text
        if len(lack) == 1:
            assert "1 of 2 seeds" in text and "1 of 2</td>" in text


def test_nothing_at_all_gives_a_page(tmp_path: Path) -> None:
    made = plan()
    page = ablation_report.write(made, {}, tmp_path)
    text = page.read_text()
    assert "30 not in the ledger" in text and "nothing can be compared yet" in text
    assert "not run" in (page.parents[1] / "index.html").read_text()


def test_damaged_files_are_named_and_stop_nothing(tmp_path: Path) -> None:
    made = plan(figures=[trade_off(("1",))])
    entries = leave(tmp_path, made, apart(), with_images=True)
    first, second, third, *_ = [tmp_path / cell.name for cell in made.of("evaluate")]
    (first / "scores.json").write_text("{")
    (second / "image_values.npz").write_bytes(b"no")
    (third / "results.jsonl").write_text('{"stage": "base"\n[1]\n')
    (third / "attempts.jsonl").write_bytes(b"\xff\n{}\n")
    (second / "images/0.png").write_bytes(b"no")
    entries[made.of("train")[0].name].state = "failed"
    entries[made.of("train")[0].name].why = "<b>out of memory</b>"
    page = ablation_report.write(made, entries, tmp_path)
    text = page.read_text()
    assert "its scores cannot be read" in text and "<b>out" not in text
    assert "&lt;b&gt;out of memory" in text


def test_two_protocols_never_share_a_figure(tmp_path: Path) -> None:
    made = plan(figures=[learning(("640",))])
    other = made.of("evaluate")[-1].name
    entries = leave(tmp_path, made, apart(), protocol={other: {"prompts": 640}})
    page = ablation_report.write(made, entries, tmp_path)
    (known,) = facts(page)["figures"]
    assert known["marks"] == 5
    text = page.read_text()
    assert "seed 2 is not shown: its exact has the protocol" in text and "prompts" in text


@pytest.mark.parametrize("x", ["images", "seconds", "flops"])
def test_a_clock_as_axis(tmp_path: Path, x: str) -> None:
    made = plan(figures=[learning(("320", "640"), x)])
    entries = leave(tmp_path, made, apart())
    if x == "flops":  # known after a probe alone
        for cell in made.of("train")[1:]:
            (tmp_path / cell.name / "probe.json").write_text('{"flops": 1e9}')
    page = ablation_report.write(made, entries, tmp_path)
    (known,) = facts(page)["figures"]
    assert known["marks"] == (10 if x == "flops" else 12)
    assert ("the flops of its training are not known" in page.read_text()) == (x == "flops")
    assert {each["better"] for each in known["apart"]} == {"t5_nano"}


def test_a_loss_as_score_is_read_from_the_trainings(tmp_path: Path) -> None:
    losses = [
        left_ablation.Figure(x, (), (), x, "val/loss", "encoder") for x in ("images", "flops")
    ]
    made = plan(figures=losses)
    page = ablation_report.write(made, leave(tmp_path, made, alike(0)), tmp_path)
    known, by_work = facts(page)["figures"]
    assert known["marks"] == 2 * 3 * 10 and known["compared"] == 1 and known["apart"] == []
    assert by_work["marks"] == 0 and by_work["missing"] == 6
    assert "the flops of its training are not known" in page.read_text()
    assert "has no val/loss yet" in ablation_report.write(made, {}, tmp_path / "none").read_text()


def test_arms_along_the_axis_of_a_figure_are_compared_too(tmp_path: Path) -> None:
    bars = left_ablation.Figure("bars", (), (), "encoder", "quality", None)
    made = plan(figures=[bars])
    page = ablation_report.write(made, leave(tmp_path, made, apart()), tmp_path)
    (known,) = facts(page)["figures"]
    assert known["arms"] == ["t5_nano_random", "t5_nano"]
    assert [each["better"] for each in known["apart"]] == ["t5_nano"]
    assert "quality (kid) against encoder" in page.read_text()


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ("4 8 16 64", "log"),
        ("1 2 3 4", "linear"),
        ("0 1 16", "linear"),
        ("4 64", "linear"),
    ],
)
def test_values_far_from_each_other_stand_at_even_doublings(
    tmp_path: Path, values: str, scale: str
) -> None:
    steps = left_ablation.axis("steps", "cascade.base.recipe.steps", values.split())
    own = left_ablation.Figure("steps", (), (steps,), "steps", "alignment", None)
    made = plan(figures=[own])
    entries = leave(tmp_path, made, apart())
    drawing = ablation_figure.draw(ablation_marks.read(made, own, entries, tmp_path))
    assert drawing is not None
    axes = drawing.axes[0]
    assert axes.get_xscale() == scale
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert scale == "linear" or shown == values.split()


def test_words_along_the_axis_of_a_figure_are_compared_too(tmp_path: Path) -> None:
    words = left_ablation.axis("words", "cascade.sr.prompt", ["same", "blue"])
    content = left_ablation.Figure("content", (), (words,), "words", "alignment", None)
    made = plan(["one"], figures=[content])
    entries = leave(tmp_path, made, lambda m, arm, at, seed: (at == "same") + 0.01 * seed)
    page = ablation_report.write(made, entries, tmp_path)
    (known,) = facts(page)["figures"]
    assert known["arms"] == ["same", "blue"]
    assert [each["better"] for each in known["apart"]] == ["same"]


def test_the_index_says_what_was_found_of_a_claim(tmp_path: Path) -> None:
    claim, *_ = paper_claim.of(["4a"])
    row = {"metric": "kid", "better": "b", "worse": "a", "value": -2.0, "interval": [-2.5, -1.5]}
    agree, against = ({**row, "expectation": word} for word in (AGREE, AGAINST))
    known = {"marks": 6, "compared": 3, "expected": 2}
    words = [
        ablation_index.verdict(claim, known | {"apart": apart_rows})[0]
        for apart_rows in ([], [agree], [agree, agree], [against], [agree, against])
    ]
    assert words == [
        "cannot be told apart",
        "reproduced in part",
        "reproduced",
        "contradicted",
        "in part contradicted",
    ]
    number = ablation_index.verdict(claim, known | {"apart": [agree]})[1]
    assert number == "1 of 2 comparisons; b is better than a by 2.0 [1.5, 2.5] in kid"
    assert ablation_index.verdict(claim, known | {"marks": 0})[0] == "not run"


def test_a_claim_about_one_score_judges_no_other(tmp_path: Path) -> None:
    """Fig. A.11a speaks of the FID: level 0 has the best one."""
    levels = left_ablation.axis("level", "cascade.sr.recipe.aug_level", ["0", "0.3"])
    figure_of = left_ablation.Figure(
        "trade_off", ("A.11a",), (levels,), "alignment", "quality", "level"
    )
    made = plan(["one"], figures=[figure_of])
    entries = leave(
        tmp_path,
        made,
        lambda m, arm, at, seed: (at == "0") * (1 if m == "exact" else -1) + 0.01 * seed,
    )
    page = ablation_report.write(made, entries, tmp_path)
    (known,) = facts(page)["figures"]
    assert known["expected"] == 1 and known["compared"] == 2
    words = {each["metric"]: each["expectation"] for each in known["apart"]}
    assert words == {"kid": AGREE, "exact": "nothing was expected"}
    verdict = ablation_index.verdict(paper_claim.of(["A.11a"])[0], known)
    assert verdict[0] == "reproduced" and "0 is better than 0.3" in verdict[1]


def test_deviations_have_their_place(tmp_path: Path) -> None:
    from imagen_lit.report.document import Words

    made = plan()
    entries = leave(tmp_path, made, apart())
    page = ablation_report.write(
        made, entries, tmp_path, deviations=lambda name, settings: Words([f"{name}: as it is"])
    )
    assert "base: t5_nano_random: as it is" in page.read_text()


def test_the_index_follows_the_reports(tmp_path: Path) -> None:
    made = plan()
    entries = leave(tmp_path, made, apart())
    page = ablation_report.write(made, entries, tmp_path)
    rows = [row for row in ablation_index.read(tmp_path)]
    assert [row["name"] for row in rows] == ["text_encoder"]
    index = page.parents[1] / "index.html"
    text = index.read_text()
    assert "reproduced" in text and 'href="text_encoder/index.html"' in text
    assert "needs raters" in text
    markdown = (index.parent / "index.md").read_text()
    assert (
        "**reproduced** 2 of 2 comparisons; t5\\_nano is better than t5\\_nano\\_random by"
        in markdown
    )


def test_the_same_folders_give_the_same_bytes(tmp_path: Path) -> None:
    made = plan(figures=[trade_off()])
    entries = leave(tmp_path, made, apart())
    pages = [
        ablation_report.write(made, entries, tmp_path, tmp_path / name).parent for name in "ab"
    ]
    files = sorted(file.name for file in pages[0].iterdir() if file.is_file())
    assert files and all((pages[0] / f).read_bytes() == (pages[1] / f).read_bytes() for f in files)


def test_a_report_needs_no_torch() -> None:
    words = "import sys, imagen_lit.report.ablation_report; print('torch' in sys.modules)"
    run = [sys.executable, "-c", words]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "False\n"


def test_published_numbers_stand_behind_a_figure_of_their_metric_alone(tmp_path: Path) -> None:
    table = left_ablation.Figure("table", ("Table 1",), (), "encoder", "quality", None)
    made = plan(figures=[table])
    entries = leave(tmp_path, made, apart())
    page = ablation_report.write(made, entries, tmp_path)
    assert "The paper's numbers are of fd, and not shown" in page.read_text().replace("&#x27;", "'")
    marks = ablation_marks.read(made, table, entries, tmp_path)
    rows = [{"metric": name, "name": "Imagen", "value": 7.27} for name in ("kid", "fd")]
    texts = []
    for row in rows:
        drawing = ablation_figure.draw(marks, [row])
        assert drawing is not None
        texts.append(figure.svg(drawing))
    assert "Imagen 7.27" in texts[0] and "Imagen 7.27" not in texts[1]


@pytest.mark.skipif(browser.MISSING, reason="needs chromium and chromedriver")
def test_no_page_is_wider_than_a_phone(tmp_path: Path) -> None:
    made = plan()
    page = ablation_report.write(made, leave(tmp_path, made, apart(), with_images=True), tmp_path)
    with browser.browser(tmp_path / "browser", 390, 844, is_phone=True) as window:
        for file in (page, page.parents[1] / "index.html"):
            window.open(file.as_uri())
            window.script("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert window.script("return document.documentElement.scrollWidth") <= 390


def test_gpu_hours_are_those_of_all_devices(tmp_path: Path) -> None:
    made = plan(seeds=[0])
    entries = leave(tmp_path, made, apart())
    (training, *others) = made.of("train")
    attempts = tmp_path / training.name / "attempts.jsonl"
    attempts.write_text(attempts.read_text().replace('"cpu"', '"NVIDIA H200", "devices": 16'))
    page = ablation_report.write(made, entries, tmp_path)
    with (page.parent / "cost.csv").open() as file:
        rows = {row["command"]: row for row in csv.DictReader(file)}
    hours = float(rows["train"]["hours"])
    assert float(rows["train"]["GPU-hours"]) == pytest.approx(
        16 * hours / (1 + len(others)), rel=0.01
    )


def test_a_number_stands_beside_what_it_is(tmp_path: Path) -> None:
    made = plan(["0", "0.3", "none"])
    entries = leave(tmp_path, made, lambda m, arm, at, seed: (arm == "0.3") + 0.01 * seed)
    page = ablation_report.write(made, entries, tmp_path)
    text = page.read_text()
    for words in ("minus encoder 0 [95", "encoder 0.3 is better than", ">none<"):
        assert words in text
    assert "encoder none" not in text
    assert facts(page)["figures"][0]["arms"] == ["0", "0.3", "none"], "files name it as settings do"
