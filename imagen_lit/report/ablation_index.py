"""All ablations beside the paper, claim by claim: what this project's reports say about each, at
which scale. Made from the `report.json` of every report below runs/ablation/.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from imagen_lit.basics import json_file, rounding
from imagen_lit.basics.errors import InputError
from imagen_lit.report import document, page, paper_claim
from imagen_lit.report.document import Block, Points, Raw, Words, plain
from imagen_lit.report.paper_claim import Claim

KIND, TITLE = "ablations", "Ablations beside the paper"
REPRODUCED, CONTRADICTED = "reproduced", "contradicted"
IN_PART, MIXED = "reproduced in part", "in part contradicted"
UNKNOWN, OPEN = "cannot be told apart", "shown, not judged"
NOT_RUN = "not run"
MOODS = {REPRODUCED: "good", IN_PART: "good", CONTRADICTED: "bad", MIXED: "bad"}
SINGLE = ", by single trainings"
LEAD = (
    "Each claim that the paper makes by comparing, and what the reports of this project say about "
    "it. “Reproduced”: every pair of arms that the claim is about can be told apart, in its "
    "direction, and none in the other; the number is the largest of these differences. “By single "
    "trainings”: the difference is one over prompts, and another seed of the same arm may be as "
    "far."
)
HEADS = ("the paper's", "question", "the paper's outcome", "here")
HOW = {
    "people": "needs raters: python -m imagen_lit.rate",
    "eyes": "a matter of looking: see samples",
}


def write(folder: Path, runs: Path) -> Path:
    """The index in a folder of reports; those of other scales are in it too."""
    reports = list(read(runs))
    rows = [(claim, list(_verdicts(claim, reports, folder))) for claim in paper_claim.claims()]
    blocks: list[Block] = [
        Words([LEAD]),
        Raw(_html(rows), _markdown(rows)),
    ]
    if others := [_line(each) for each in reports]:
        blocks.append(document.Section("All reports", [_links(reports, folder), Points(others)]))
    return document.write(folder, KIND, TITLE, blocks, markdown_name="index.md")


def read(runs: Path) -> Iterator[Mapping[str, Any]]:
    """The facts of all reports that can be read, by scale and name; `folder` is where each is."""
    for file in sorted((runs / "ablation").glob("*/reports/*/report.json")):
        try:
            facts = json_file.read(file, "")
        except (OSError, InputError):
            continue
        if all(isinstance(facts.get(key), str) for key in ("name", "scale")):
            yield facts | {"folder": file.parent}


def verdict(claim: Claim, figure: Mapping[str, Any]) -> tuple[str, str]:
    """What a figure of ours says about a claim, and the number that it rests on."""
    if not figure["marks"] or not figure["compared"]:
        return NOT_RUN, "no results yet" if not figure["marks"] else "nothing to compare yet"
    apart = figure["apart"]
    agree = [each for each in apart if each["expectation"] == "as expected"]
    against = [each for each in apart if each["expectation"] == "against the expectation"]
    if not claim.orders or not figure["expected"]:
        words = f"{len(apart)} of {figure['compared']} comparisons show a difference"
        return OPEN, words
    if against:
        how = f"{len(against)} of {figure['expected']} comparisons against it, {len(agree)} for it"
        return MIXED if agree else CONTRADICTED, f"{how}; {_number(against)}"
    if not agree:
        return UNKNOWN, f"{figure['expected']} comparisons"
    word = REPRODUCED if len(agree) == figure["expected"] else IN_PART
    return word, f"{len(agree)} of {figure['expected']} comparisons; {_number(agree)}"


def _number(rows: Sequence[Mapping[str, Any]]) -> str:
    """The largest difference of the first score among these."""
    own = [row for row in rows if row["metric"] == rows[0]["metric"]]
    row = max(own, key=lambda each: abs(each["value"]))
    size = rounding.with_interval(abs(row["value"]), sorted(map(abs, row["interval"])))
    return f"{row['better']} is better than {row['worse']} by {size} in {row['metric']}"


def _verdicts(
    claim: Claim, reports: Sequence[Mapping[str, Any]], folder: Path
) -> Iterator[tuple[str, str, str, str]]:
    """Word, number, words of the link, its address."""
    found = False
    for report in reports:
        for figure in report.get("figures", ()):
            if {*claim.figures} & {*figure["paper"]}:
                found = True
                word, number = verdict(claim, figure)
                if report["done"] < report["cells"]:
                    number += f" (half finished: {report['done']} of {report['cells']} cells)"
                if report.get("single_seed"):
                    word += SINGLE if word in MOODS else ""
                    number += " (a single training seed)"
                link = f"{report['name']}, scale={report['scale']}"
                yield word, number, link, page.address(report["folder"] / "index.html", folder)
    if not found:
        yield NOT_RUN, HOW.get(claim.judged_by, ""), "", ""


Verdicts = Sequence[tuple[str, str, str, str]]


def _html(rows: Sequence[tuple[Claim, Verdicts]]) -> str:
    top = "".join(f"<th>{escape(head)}</th>" for head in HEADS)
    lines = []
    for claim, verdicts in rows:
        cells = [claim.names, claim.question, claim.outcome]
        texts = [
            f'<td data-label="{escape(head)}">{escape(cell)}</td>'
            for head, cell in zip(HEADS, cells, strict=False)
        ]
        here = "".join(map(_here, verdicts))
        lines.append(f"<tr>{''.join(texts)}<td data-label='{HEADS[-1]}'>{here}</td></tr>")
    return (
        f'<div class="wide"><table class="cards-on-phones claims"><tr class="head">{top}</tr>'
        f"{''.join(lines)}</table></div>"
    )


def _here(row: tuple[str, str, str, str]) -> str:
    word, number, link, where = row
    mark = (
        f'<span class="state {MOODS.get(word.removesuffix(SINGLE), "calm")}">{escape(word)}</span>'
    )
    to = f' <a href="{where}">{escape(link)}</a>' if where else ""
    return f'<div>{mark}{to} <span class="soft">{escape(number)}</span></div>'


def _markdown(rows: Sequence[tuple[Claim, Verdicts]]) -> str:
    lines = [f"| {' | '.join(HEADS)} |", f"| {' | '.join(['---'] * len(HEADS))} |"]
    for claim, verdicts in rows:
        here = "; ".join(
            f"**{word}** {plain(number)}" + (f" ([{plain(link)}]({where}))" if where else "")
            for word, number, link, where in verdicts
        )
        cells = [*map(plain, (claim.names, claim.question, claim.outcome)), here]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _links(reports: Sequence[Mapping[str, Any]], folder: Path) -> Raw:
    """A link to each report."""
    pairs = [
        (
            f"{each['name']}, scale={each['scale']}",
            page.address(each["folder"] / "index.html", folder),
        )
        for each in reports
    ]
    html = " · ".join(f'<a href="{where}">{escape(words)}</a>' for words, where in pairs)
    return Raw(f"<p>{html}</p>", " · ".join(f"[{plain(words)}]({where})" for words, where in pairs))


def _line(report: Mapping[str, Any]) -> str:
    answers = " ".join(str(each["answer"]) for each in report.get("figures", ()))
    return f"{report['name']}, scale={report['scale']}: {answers}"
