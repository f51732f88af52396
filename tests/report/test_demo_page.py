"""The demo's page says what it shows: whose minutes, whose value, which prompt."""

import json
import re
from pathlib import Path

import left_runs
import numpy as np
import pytest
from PIL import Image

from imagen_lit.report import demo_page, score_table
from imagen_lit.run.time_budget import STAGE, TimeBudget

ROW = {"n": 1, "exact": 0.0, "interval": [0.0, 0.793], "colour": 0.0}
STAGES = {"base": 32, "sr": 8, "sr2": 8}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    lines = []
    for stage in STAGES:
        left_runs.leave(tmp_path, stage)
        for number in range(2):
            image = f"{stage}_{number}.png"
            (tmp_path / "evaluation").mkdir(exist_ok=True)
            Image.new("RGB", (16, 16)).save(tmp_path / "evaluation" / image)
            result = {"stage": stage, "prompt": f"a circle, {number}", "seed": 0, "image": image}
            lines.append({**result, "category": "one", "matches": {"exact": number == 0}})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "evaluation/results.jsonl").write_text(text)
    return tmp_path


def page(home: Path, training: float) -> str:
    budget = TimeBudget(home / "budget.json", minutes=20)
    budget.record["seconds"] = {f"{STAGE}1 of 3: demo_base": training, "evaluation": 300.0}
    budget.started_at -= 1644
    scores = {"score/alignment": {"base": {"one": ROW}}}
    guidance = {"prompt": "a circle", "weights": [1], "rows": {}}
    return demo_page.write(home, scores, guidance, STAGES, budget).read_text()


def test_the_training_and_the_whole_demo_each_have_their_own_minutes(home: Path) -> None:
    text = page(home, training=600)
    assert "trained for 10.0 minutes. With all else, this demo took 27.4 minutes" in text
    assert "20 minutes were given" in text and "too few" not in text
    assert "too few for images that match their captions" in page(home, training=100)


def test_the_grid_has_a_line_of_words_below_each_image(home: Path) -> None:
    page(home, training=600)
    grid = np.asarray(Image.open(home / "grid.png"))
    width, height = 128, 128
    assert grid.shape[1] > 2 * width and grid.shape[0] > height + 2 * 16
    below = grid[16 + height :, 16 : 16 + width]
    assert (below < 128).any(), "words"


def test_a_score_is_marked_where_its_value_is(home: Path) -> None:
    (left,) = re.findall(r'<i style="left:([\d.]+)%"></i>', score_table.html({"a": {"one": ROW}}))
    assert float(left) == 0.0
    row = ROW | {"exact": 0.5, "interval": [0.2, 0.9]}
    text = score_table.html({"a": {"one": row}})
    assert 'left:50.0%"></i>' in text and '<b style="left:20.0%;width:70.0%">' in text


def test_images_come_first_and_none_of_the_shown_prompts_is_lost(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_page, "FIRST", 1)
    text = page(home, training=600)
    assert text.index("training never showed") < text.index("match their captions")
    open_part, _, folded = text.partition("<details><summary>1 more</summary>")
    assert "a circle, 0" in open_part and "a circle, 1" not in open_part
    assert "a circle, 1" in folded.partition("</details>")[0]


def test_two_evaluations_of_the_demo_are_quality_against_alignment(home: Path) -> None:
    assert "Quality against alignment" not in page(home, training=600)
    for weight in (1, 4):
        folder = left_runs.leave_evaluation(home, f"weight_{weight}", {"sr2": "runs/demo/sr2"})
        content = json.loads((folder / "scores.json").read_text())
        content["scores"] = [
            {"stage": "sr2", "metric": metric, "value": weight * factor, "n": 8, "method": "-"}
            | {"interval": [weight * factor - 0.1, weight * factor + 0.1], "protocol": metric}
            for metric, factor in (("kid", 0.3), ("exact", 0.2))
        ]
        (folder / "scores.json").write_text(json.dumps(content))
    text = page(home, training=600)
    chart = text.partition("Quality against alignment: sr2")[2].partition("</svg>")[0]
    assert "kid against exact" in chart and chart.count('class="dot c0"') == 2
