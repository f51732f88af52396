"""Figures of scores show each number and its interval, in the page's colours."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from score_rows import along_guidance, by_category, protocols, row

from imagen_lit.report import figure
from imagen_lit.report.category_bars import category_bars
from imagen_lit.report.palette import COLOURS
from imagen_lit.report.parameter_curve import parameter_curve
from imagen_lit.report.trade_off_curve import trade_off

DRAWINGS = {
    "trade-off": lambda: trade_off(along_guidance(), protocols(), "clip_score", "fd"),
    "bars": lambda: category_bars(by_category(), protocols(), "clip_score"),
    "curve": lambda: parameter_curve(along_guidance(), protocols(), "fd", "guidance"),
}


def whiskers_of(drawing: Figure) -> np.ndarray:
    """Both ends of the whisker of each bar."""
    bars = [each for each in drawing.axes[0].containers if hasattr(each, "errorbar")]
    return np.concatenate([bar.errorbar.lines[2][0].get_segments() for bar in bars])[:, :, 0]


def test_the_trade_off_has_a_point_for_each_weight_and_a_band_to_both_intervals() -> None:
    rows = along_guidance()[::-1]  # points are joined by weight, whatever the order of rows
    drawing = trade_off(rows, protocols(), "clip_score", "fd")
    axes = drawing.axes[0]
    for line, band in zip(axes.lines, axes.patches, strict=True):
        own = [r for r in rows if r["system"] == line.get_label()]
        own.sort(key=lambda r: r["guidance"])
        sides = [[r for r in own if r["metric"] == m] for m in ("clip_score", "fd")]
        for values, side in zip(line.get_data(), sides, strict=True):
            assert list(values) == [r["value"] for r in side]
        box = band.get_path().get_extents().get_points().T  # of x and of y
        for ends, side in zip(box, sides, strict=True):
            intervals = np.array([r["interval"] for r in side])
            assert ends == pytest.approx([intervals.min(), intervals.max()])


def test_a_single_point_of_a_trade_off_has_both_whiskers() -> None:
    rows = [r for r in along_guidance() if r["guidance"] == 2]
    drawing = trade_off(rows, protocols(), "clip_score", "fd")
    for container in drawing.axes[0].containers:
        own = {r["metric"]: r for r in rows if r["system"] == container.get_label()}
        across, up = (np.array(each.get_segments()) for each in container.lines[2])
        assert across[0, :, 0] == pytest.approx(own["clip_score"]["interval"])
        assert up[0, :, 1] == pytest.approx(own["fd"]["interval"])


def test_the_weights_stand_beside_the_points() -> None:
    drawing = trade_off(along_guidance(), protocols(), "clip_score", "fd")
    weights = [text.get_text() for text in drawing.axes[0].texts]
    assert weights == ["1", "1.35", "1.5", "2", "3", "5"] * 2


def test_a_bar_has_its_length_and_its_whisker() -> None:
    rows = by_category()
    drawing = category_bars(rows, protocols(), "clip_score")
    lengths = [bar.get_width() for bar in drawing.axes[0].patches]
    assert lengths == [r["value"] for r in rows]
    assert whiskers_of(drawing) == pytest.approx(np.array([r["interval"] for r in rows]))
    assert drawing.axes[0].get_xlim()[0] == 0, "a bar begins at zero"


def test_a_curve_has_its_band() -> None:
    rows = [r for r in along_guidance() if r["metric"] == "fd"]
    drawing = parameter_curve(rows, protocols(), "fd", "guidance")
    band = drawing.axes[0].collections[0].get_paths()[0].vertices
    own = [r for r in rows if r["system"] == "base"]
    for r in own:
        at = band[np.isclose(band[:, 0], r["guidance"])][:, 1]
        assert {at.min(), at.max()} == set(r["interval"])


def test_no_interval_has_no_whisker_and_says_so() -> None:
    rows = [row("fd", 9.0, None, system=s, guidance=1.0) for s in "ab"]
    drawing = category_bars(rows, protocols(), "fd", category="guidance")
    assert np.ptp(whiskers_of(drawing), axis=1) == pytest.approx(0)
    assert "No interval is known" in drawing.get_supxlabel()


@pytest.mark.parametrize("kind", DRAWINGS)
def test_a_figure_names_the_protocol_of_each_metric(kind: str) -> None:
    note = re.sub(r"\s+", " ", DRAWINGS[kind]().get_supxlabel())
    shown = {"trade-off": ("fd", "clip_score"), "bars": ("clip_score",), "curve": ("fd",)}[kind]
    for digest, facts in protocols().items():
        assert (f"{facts['metric']} {digest}" in note) == (facts["metric"] in shown)


@pytest.mark.parametrize("kind", DRAWINGS)
def test_every_colour_of_a_drawing_is_one_of_the_page(kind: str) -> None:
    text = figure.svg(DRAWINGS[kind]())
    ElementTree.fromstring(text)
    bare = re.sub(r"var\(--\w+, #[0-9a-f]{6}\)", "", text)
    assert re.findall(r"(?:fill|stroke): *(#[0-9a-f]{3,6}|rgb|black)", bare) == []
    names = dict(re.findall(r"var\(--(\w+), (#[0-9a-f]{6})\)", text))
    assert {"ink", "c0"} <= names.keys() and names.items() <= COLOURS.items()
    for element in re.findall(r"<text[^>]*>", text):
        assert "var(--" in element, "black letters would vanish on a dark page"


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_figure_is_the_same_file(tmp_path: Path, suffix: str) -> None:
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for file in files:
        figure.write(DRAWINGS["trade-off"](), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    if suffix == ".png":
        assert Image.open(files[0]).width == round(figure.WIDTH * figure.DOTS)


def test_points_that_no_two_metrics_share_and_other_files_are_refused(tmp_path: Path) -> None:
    rows = [
        row("fd", 9.0, 1.0, system="a", guidance=1.0),
        row("clip_score", 0.2, 0.1, system="a", guidance=2.0),
    ]
    with pytest.raises(ValueError, match="Score both at the same"):
        trade_off(rows, protocols(), "clip_score", "fd")
    with pytest.raises(ValueError, match=r"ends in \.svg or \.png"):
        figure.write(DRAWINGS["curve"](), tmp_path / "curve.pdf")
