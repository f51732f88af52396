"""One HTML page about a cascade: scores, prompts with their images, guidance, losses and times.

Plain HTML next to the images it shows, with relative links only: the folder can be zipped and
opened anywhere. Nothing is loaded from elsewhere and no script runs.
"""

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from imagen_lit.basics.atomic import write_text

STYLE = Path(__file__).with_name("page.css").read_text()


def write(
    file: Path,
    title: str,
    lead: str,
    scores: Mapping[str, Any],
    samples: Sequence[Mapping[str, Any]],
    plots: Sequence[tuple[str, str]],
    guidance: Mapping[str, Any],
    times: Sequence[tuple[str, float]],
) -> None:
    """Write the page to `file`.

    `samples`: {prompt, category, right, images: {stage: file}}; `plots`: (title, SVG);
    `guidance`: {prompt, weights, rows: {threshold: [file, ...]}}; `times`: (step, seconds).
    """
    folder = file.parent
    body = [
        f"<h1>{escape(title)}</h1><p>{escape(lead)}</p>",
        _scores(scores),
        _samples(samples, folder),
        _guidance(guidance, folder),
        _plots(plots),
        _times(times),
    ]
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )
    write_text(file, text)


def _scores(scores: Mapping[str, Any]) -> str:
    rows = []
    for stage, categories in scores.items():
        for category, row in categories.items():
            low, high = row["interval"]
            bar = (
                f'<div class="bar"><i style="width:{100 * row["exact"]:.1f}%"></i>'
                f'<b style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></b></div>'
            )
            parts = " · ".join(
                f"{name} {row[name]:.2f}"
                for name in ("colour", "shape", "count", "relation", "word")
                if row.get(name) is not None
            )
            rows.append(
                f"<tr><td>{escape(stage)}</td><td>{escape(category)}</td>"
                f'<td class="number">{row["exact"]:.3f}</td>'
                f'<td class="number">{low:.3f} – {high:.3f}</td><td>{row["n"]}</td>'
                f'<td>{bar}</td><td class="soft">{parts}</td></tr>'
            )
    return (
        "<h2>Do the images match their captions?</h2><p>Share of held-out prompts whose "
        "image shows every colour, shape, count and relation named, and nothing else, as read "
        "by the exact reader; with 95 % intervals (Wilson). Words are reported for interest.</p>"
        "<table class='scores'><tr><th>stage</th><th>category</th><th>exact</th>"
        f"<th>interval</th><th>n</th><th></th><th></th></tr>{''.join(rows)}</table>"
    )


def _samples(samples: Sequence[Mapping[str, Any]], folder: Path) -> str:
    cards = []
    for sample in samples:
        images = "".join(
            f'<img src="{_address(f, folder)}" width="{edge}" height="{edge}" '
            f'alt="{escape(stage)}">'
            for (stage, f), edge in zip(sample["images"].items(), (48, 80, 160), strict=False)
        )
        verdict = "right" if sample["right"] else "wrong"
        line = f'{escape(sample["category"])} · <span class="{verdict}">{verdict}</span>'
        cards.append(
            f'<div class="card"><div class="row">{images}</div>'
            f'<div class="caption">{escape(sample["prompt"])}</div>'
            f'<div class="soft">{line}</div></div>'
        )
    return (
        "<h2>Prompts that training never showed</h2><p class='soft'>The first in the list, "
        "not hand-picked. Each at all resolutions of the cascade.</p>"
        f"<div class='cards'>{''.join(cards)}</div>"
    )


def _guidance(guidance: Mapping[str, Any], folder: Path) -> str:
    head = "".join(f"<th>w = {weight:g}</th>" for weight in guidance["weights"])
    rows = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(
            f'<td><img src="{_address(f, folder)}" width="112" height="112" alt=""></td>'
            for f in files
        )
        + "</tr>"
        for name, files in guidance["rows"].items()
    )
    return (
        f"<h2>Guidance and thresholding</h2><p>“{escape(guidance['prompt'])}”, the same seed "
        "throughout, base stage guided with weight w and its clean estimates bounded in two ways "
        "(Imagen § 2.3, figs. A.9 and A.10).</p>"
        f"<div class='wide'><table class='grid'><tr><th></th>{head}</tr>{rows}</table></div>"
    )


def _plots(plots: Sequence[tuple[str, str]]) -> str:
    panels = "".join(f"<div><div class='soft'>{escape(t)}</div>{svg}</div>" for t, svg in plots)
    return f"<h2>How it learnt</h2><div class='plots'>{panels}</div>"


def _times(times: Sequence[tuple[str, float]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(step)}</td><td class='number'>{seconds:.0f} s</td></tr>"
        for step, seconds in times
    )
    total = sum(seconds for _, seconds in times)
    return (
        f"<h2>Where the time went</h2><table>{rows}<tr><th>in all</th>"
        f"<th class='number'>{total / 60:.1f} min</th></tr></table>"
    )


def _address(file: Path, folder: Path) -> str:
    return escape(Path(os.path.relpath(file, folder)).as_posix())
