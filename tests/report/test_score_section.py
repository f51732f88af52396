"""The section of scores: tables, charts and protocols, and nothing that breaks out of the page."""

import re

from score_rows import PROTOCOLS, along_guidance, by_category, protocols, row

from imagen_lit.evaluation.score import Score
from imagen_lit.report import score_section

OTHER = Score("fd", 9.0, (8.0, 10.0), 320, "bootstrap", PROTOCOLS["fd"] | {"n": 320})


def section(rows: list, *others: Score, **settings) -> str:  # noqa: ANN003
    return score_section.html({"scores": rows, "protocols": protocols(*others)}, **settings)


def test_scores_along_a_parameter_have_curves_and_a_trade_off() -> None:
    html = section(along_guidance(), pair=("clip_score", "fd"))
    titles = re.findall(r"<figcaption>([^<]*)", html)
    assert titles == ["fd against clip_score", "fd", "clip_score"]
    assert html.count("<svg") == 3 and "12.0" in html


def test_scores_by_category_have_bars() -> None:
    html = section(by_category())
    assert re.findall(r"<figcaption>([^<]*)", html) == ["clip_score"]
    assert "Gary Marcus" in html and html.count("<tr>") == 13 + 4  # and the protocol's facts


def test_a_single_score_has_a_table_and_no_chart() -> None:
    html = section([row("fd", 12.3456, 0.55)])
    assert "12.3" in html and "11.8 – 12.9" in html and "<svg" not in html


def test_a_second_protocol_has_a_table_of_its_own() -> None:
    html = section([row("fd", 12.3, 0.5, system="a"), {"system": "b"} | OTHER.row()], OTHER)
    tables = html.partition("<details>")[0].split("<table>")[1:]
    hashes = [set(re.findall(r"#protocol-(\w+)", table)) for table in tables]
    assert len(tables) == 2 and all(len(each) == 1 for each in hashes) and hashes[0] != hashes[1]


def test_every_hash_leads_to_what_it_stands_for() -> None:
    html = section(along_guidance())
    links, places = (
        set(re.findall(rf'{key}="#?(protocol-[^"]+)"', html)) for key in ("href", " id")
    )
    assert links == places and len(links) == 2
    assert "efficientnet_<wbr>lite0" in html


def test_labels_and_facts_are_escaped() -> None:
    rows = [row("fd", 1.0 + n, 0.1, system=f"<b>{n}</b>", category="&c") for n in range(2)]
    html = section(rows)
    assert "<b>" not in html and "&amp;c" in html


def test_no_scores_make_no_section() -> None:
    assert section([]) == ""
