"""The paper's claims: what they say of two arms, and only numbers that it prints."""

import pytest

from imagen_lit.ablation import definition
from imagen_lit.report import paper_claim


def test_each_figure_of_the_paper_has_one_claim_in_words() -> None:
    rows = paper_claim.claims()
    figures = [figure for claim in rows for figure in claim.figures]
    assert len(set(figures)) == len(figures) >= 20
    for claim in rows:
        assert claim.question.endswith("?") and claim.outcome.endswith(".")
        assert claim.certainty in paper_claim.CERTAIN and claim.sentence()
        assert claim.judged_by in ("scores", "people", "eyes")


def test_numbers_stand_only_where_the_paper_prints_some() -> None:
    with_numbers = {f for c in paper_claim.claims() if c.published for f in c.figures}
    assert with_numbers == {"Table 1"}
    (table,) = paper_claim.of(["Table 1"])
    values = {row["name"]: row["value"] for row in table.published}
    assert values == {"Imagen": 7.27, "DALL-E 2": 10.39, "GLIDE": 12.24, "DALL-E": 17.89}


@pytest.mark.parametrize(
    ("one", "two", "better"),
    [
        ("t5_small", "t5_xxl", "t5_xxl"),
        ("t5_xxl", "t5_small", "t5_xxl"),
        ("t5_xxl", "clip_l14", None),  # alike on COCO
        ("t5_small", "t5_small", None),
        ("t5_small · big", "t5_xl · big", "t5_xl · big"),
        ("t5_small · big", "t5_xl · little", None),  # they differ in something else too
        ("elsewhere", "unknown", None),
    ],
)
def test_what_a_claim_expects_of_two_arms(one: str, two: str, better: str | None) -> None:
    assert paper_claim.expected_better(paper_claim.of(["4a"]), "alignment", one, two) == better


@pytest.mark.parametrize(
    ("score", "one", "two", "better"),
    [
        ("quality", "0.3", "0", "0"),
        ("quality", "0", "0.1", "0"),
        ("quality", "0.1", "0.2", None),  # level 0 is the best, and no more is said
        ("quality", "1", "8", "8"),
        ("alignment", "0.3", "0", None),
    ],
)
def test_of_levels_in_super_resolution_only_the_fid_is_claimed(
    score: str, one: str, two: str, better: str | None
) -> None:
    assert paper_claim.expected_better(paper_claim.of(["A.11a"]), score, one, two) == better


@pytest.mark.parametrize("scale", definition.scales())
def test_every_order_names_arms_of_our_ablations(scale: str) -> None:
    """Of each claim that scores decide, an ablation that redraws it has two of its arms."""
    pairs: dict[str, bool] = {}
    for name in definition.names():
        read = definition.read(name, scale)
        for figure in read.figures:
            axes = (*read.arms, *figure.points)
            labels = [choice.label for each in axes for choice in each.choices]
            for claim in paper_claim.of(figure.paper):
                known = [[one for one in order if one in labels] for order in claim.orders]
                has_pair = any(len(order) > 1 for order in known)
                pairs[claim.names] = pairs.get(claim.names, False) or has_pair
    decided = {claim.names for claim in paper_claim.claims() if claim.orders}
    assert decided & pairs.keys() and [n for n in decided & pairs.keys() if not pairs[n]] == []
