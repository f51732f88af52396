"""What an ablation answers, in generated sentences: which arms can be told apart, in which
direction against the expectation, and which cannot.
"""

from collections.abc import Mapping, Sequence

from imagen_lit.basics.short_form import quantity
from imagen_lit.report import paper_claim
from imagen_lit.report.ablation_comparison import Comparison, is_higher_better
from imagen_lit.report.ablation_marks import Marks
from imagen_lit.report.paper_claim import Claim

NAMED = 6  # pairs, at most; further ones are counted
AGREE, AGAINST, OPEN = "as expected", "against the expectation", "nothing was expected"


def sentence(marks: Marks, comparisons: Sequence[Comparison]) -> str:
    """The answer of one figure, about each of its scores."""
    parts = [_of_score(marks, name, comparisons) for name in marks.scores]
    return " ".join(parts)


def single_seed(figures: Sequence[Marks]) -> str:
    """A sentence where training seeds were not varied; empty where they were."""
    if any(marks.planned_seeds > 1 for marks in figures):
        return ""
    return (
        "Training seeds were not varied: every arm was trained once, so that intervals reach over "
        "prompts only, and nobody knows how far another seed of the same arm would be."
    )


def agreement(marks: Marks, comparison: Comparison) -> str:
    """AGREE, AGAINST or OPEN, for two arms that can be told apart."""
    expected = _expected(marks, comparison)
    if expected is None or is_higher_better(comparison.metric) is None:
        return OPEN
    return AGREE if expected == comparison.better else AGAINST


def _expected(marks: Marks, comparison: Comparison) -> str | None:
    """The arm that the paper makes one expect to be better by this score."""
    score = marks.words[comparison.metric].partition(" (")[0]
    return paper_claim.expected_better(claims(marks), score, *comparison.pair)


def claims(marks: Marks) -> list[Claim]:
    """What the paper's figures say that this one redraws."""
    return paper_claim.of(marks.figure.paper)


def _of_score(marks: Marks, name: str, comparisons: Sequence[Comparison]) -> str:
    own = [each for each in comparisons if each.metric == name]
    known = [each for each in own if each.is_tested]
    word = marks.words[name]
    if own and not known and any(each.verdict is not None for each in own):
        return (
            f"By {word} no arm is called better: the arms have single trainings, and without a "
            f"{name} of each image their difference cannot be tested, over prompts either."
        )
    if not own:
        return f"By {word} there is nothing to compare: the figure has a single arm."
    if not known:
        return f"By {word} nothing can be compared yet."
    apart = [each for each in known if each.is_apart]
    open_pairs = [each for each in known if not each.is_apart]
    waiting = len(own) - len(known)
    later = f" {quantity(waiting, 'pair waits', 'pairs wait')} for results." if waiting else ""
    over = {each.over for each in known}
    how = "over training seeds"
    if over == {"prompts"}:
        how = "over prompts of single trainings, which says nothing about others"
    if not apart:
        return (
            f"By {word} no two of the {len(_arms(known))} arms can be told apart "
            f"({quantity(len(known), 'comparison')} {how}).{later}"
        )
    words = f"By {word} {_told(marks, apart, own)} ({how})."
    if open_pairs:
        words += f" {_unknown(marks, open_pairs)} cannot be told apart."
    return f"{words} {_expectation(marks, apart)}{later}"


def _told(marks: Marks, apart: Sequence[Comparison], own: Sequence[Comparison]) -> str:
    """Which arms are better than which: as a ranking where every two can be told apart."""
    beaten: dict[str, list[str]] = {}
    for each in apart:
        beaten.setdefault(str(each.better), []).append(str(each.worse))
    ranking = sorted(marks.arms, key=lambda arm: -len(beaten.get(arm, ())))
    has_order = is_higher_better(apart[0].metric) is not None
    if len(apart) == len(own) > 1 and len({len(beaten.get(a, ())) for a in ranking}) == len(
        ranking
    ):
        ends = "from the best to the worst" if has_order else "from the largest to the smallest"
        return f"every two arms can be told apart, {ends}: {_list(marks, ranking)}"
    verb = "is better than" if has_order else "has more than"
    clauses = [
        f"{marks.spoken(arm)} {verb} {_all_or_list(arm, beaten[arm], marks)}"
        for arm in ranking
        if arm in beaten
    ]
    return "; ".join(clauses)


def _all_or_list(better: str, worse: Sequence[str], marks: Marks) -> str:
    """The fewer of both: those that are worse, or those that are not."""
    others = [arm for arm in marks.arms if arm not in (*worse, better)]
    if len(others) + 1 >= len(worse):
        return _list(marks, worse)
    return f"all others but {_list(marks, others)}" if others else "all others"


def _expectation(marks: Marks, apart: Sequence[Comparison]) -> str:
    """How the differences stand to what the paper makes one expect; empty where it says nothing."""
    agree = [each for each in apart if agreement(marks, each) == AGREE]
    against = [each for each in apart if agreement(marks, each) == AGAINST]
    if against:
        pairs = _joined(
            [f"{marks.spoken(str(e.better))} above {marks.spoken(str(e.worse))}" for e in against]
        )
        rest = f"; {len(agree)} as expected" if agree else ""
        return f"Against the expectation: {pairs}{rest}."
    if not agree:
        return "The paper makes one expect nothing of these pairs."
    if len(agree) == len(apart):
        return "This is as expected." if len(agree) == 1 else f"All {len(agree)} are as expected."
    return f"Of these, {len(agree)} are as expected; of the others nothing was expected."


def _unknown(marks: Marks, pairs: Sequence[Comparison]) -> str:
    if len(pairs) > NAMED:
        return f"The other {len(pairs)} pairs"
    return _joined([" and ".join(map(marks.spoken, each.pair)) for each in pairs], "; ", "; and ")


def _arms(comparisons: Sequence[Comparison]) -> set[str]:
    return {arm for each in comparisons for arm in each.pair}


def _list(marks: Marks, arms: Sequence[str]) -> str:
    return _joined([marks.spoken(arm) for arm in arms])


def _joined(names: Sequence[str], comma: str = ", ", last: str = " and ") -> str:
    *others, final = names
    return f"{comma.join(others)}{last}{final}" if others else final


def facts(marks: Marks, comparisons: Sequence[Comparison]) -> dict[str, object]:
    """The same as plain JSON, for the index of all ablations."""
    apart: list[Mapping[str, object]] = []
    for each in comparisons:
        if each.is_apart and each.verdict is not None:
            found = each.verdict.difference
            apart.append(
                {
                    "metric": each.metric,
                    "better": each.better,
                    "worse": each.worse,
                    "value": found.value,
                    "interval": found.interval,
                    "chance": each.verdict.chance,
                    "expectation": agreement(marks, each),
                }
            )
    return {
        "name": marks.figure.name,
        "paper": list(marks.figure.paper),
        "arms": list(marks.arms),
        "metrics": list(marks.scores),
        "seeds": marks.planned_seeds,
        "marks": len(marks.marks),
        "missing": len(marks.missing) + len(marks.refused),
        "compared": sum(each.is_tested for each in comparisons),
        "expected": sum(
            _expected(marks, each) is not None for each in comparisons if each.is_tested
        ),
        "apart": apart,
        "answer": sentence(marks, comparisons),
    }
