"""People rate images: a page for a phone, a link for each rater, and results that can be defended.

Which images, and what is asked, is the study; it lies in a database with every vote. The same
command goes on with it: it prints what the votes say so far, then serves the page until Ctrl-C,
and then writes the results beside the database.
"""

import json
from collections.abc import Mapping
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, chosen_folder
from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.printable import printable
from imagen_lit.basics.short_form import quantity
from imagen_lit.cli import command, config
from imagen_lit.rating import (
    ballot,
    prompt_facts,
    result_charts,
    result_rows,
    result_tables,
    study,
    system,
)
from imagen_lit.rating.database import Database
from imagen_lit.rating.results import Results, compute
from imagen_lit.rating.session import Session
from imagen_lit.rating.study import Study
from imagen_lit.report import page

DATABASE, PAGE, KIND = "votes.sqlite", "index.html", "ratings"
PACKAGES = "starlette", "uvicorn", "evalica", "pandas"
EVERYONE = ("0.0.0.0", "::", "")


def open_study(cfg: DictConfig) -> Study:
    """The study of these settings, new or continued."""
    folders = OmegaConf.to_container(cfg).get("systems")  # type: ignore[union-attr]
    if not isinstance(folders, dict) or not folders:
        raise InputError(
            "systems names no images. Set systems='{ours: images/ours, theirs: images/theirs}', "
            "a name and a folder for each."
        )
    systems = [
        system.read(str(name), arguments.path(f"systems.{name}", folder))
        for name, folder in folders.items()
    ]
    system.refuse_other_sizes(systems, cfg.edge)
    if cfg.prompt_facts is not None:
        facts = prompt_facts.read(arguments.path("prompt_facts", cfg.prompt_facts))
        systems = [prompt_facts.add(each, facts) for each in systems]
    protocol = config.build(cfg.rating)
    trials = protocol.trials(systems, cfg.seed)
    rules = study.facts(
        protocol.name, protocol.instructions, systems, cfg.seed, cfg.prompts, cfg.edge
    )
    database = Database(Path(str(cfg.folder)) / DATABASE)
    try:
        return study.start(database, rules, trials, systems)
    except InputError:
        database.close()
        raise


def files(here: Study) -> dict[str, bytes]:
    """The results now, by the name of the file; the page is the first."""
    results = compute(here.trials, here.database.votes)
    charts = result_charts.charts(results)
    template = {**here.facts, "questions": _questions(here)}
    return {
        PAGE: _page(here, results, charts).encode(errors="replace"),
        "ratings.csv": ballot.table(results.every).encode(),
        "results.csv": result_rows.table(results).encode(),
        "study.json": json.dumps(template, indent=2).encode(),
        **charts,
    }


def _questions(here: Study) -> list[dict[str, Any]]:
    """What was asked, word for word; a caption stands as {caption}."""
    questions = {question: None for trial in here.trials for question in trial.questions}
    return [
        {"name": each.name, "words": each.words, "answers": [a.words for a in each.answers]}
        for each in questions
    ]


def _page(here: Study, results: Results, charts: Mapping[str, bytes]) -> str:
    systems = ", ".join(here.facts["systems"])
    lead = (
        f"{systems}, by the protocol {here.facts['protocol']}: "
        f"{quantity(len(results.valid), 'vote')} of {quantity(results.raters, 'rater')}."
    )
    links = [(name, name) for name in ("ratings.csv", "results.csv", "study.json")]
    figures = "".join(
        f'<figure><img src="{name}" alt="{escape(Path(name).stem)}"></figure>'
        for name in charts
        if name.endswith(".svg")
    )
    body = [page.head("What raters say", lead, links)]
    body += [page.section("Charts", f'<div class="sheets">{figures}</div>')] if figures else []
    body += [
        page.section(table.title, page.table(table.heads, table.rows), table.words)
        for table in result_tables.tables(results)
    ]
    rows = [(each["name"], each["words"], " · ".join(each["answers"])) for each in _questions(here)]
    questions = page.table(("question", "words", "answers"), rows)
    instructions = " ".join(here.facts["instructions"])
    body.append(page.section("What raters were asked", questions, instructions))
    return page.text(KIND, "Ratings", body)


def _write(here: Study, folder: Path) -> None:
    for name, content in files(here).items():
        with atomic_write(folder / name) as file:
            file.write(content)


def _print_results(here: Study) -> None:
    results = compute(here.trials, here.database.votes)
    for table in result_tables.tables(results) if results.every else ():
        widths = [max(map(len, column)) for column in zip(table.heads, *table.rows, strict=True)]
        print(f"\n{table.title}")
        for row in (table.heads, *table.rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print(printable(f"  {'  '.join(cells)}".rstrip()))
    print()


def _print_links(here: Study, address: str) -> None:
    for number, token in enumerate(here.database.tokens):
        steps = len(Session(here, number).steps)
        done = len(here.database.answers(number))
        note = "" if not done else f"  ({done} of {steps} answers)"
        print(f"rater {number + 1:3}: {address}/r/{token}/{note}")
    print(f"results:   {address}/owner/{here.database.owner}/  (for you alone)")


def _require_packages() -> None:
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise InputError(
            f"rate needs {' and '.join(missing)}. Type pip install 'imagen-lit[rate]'."
        )


@command.main("rate")
def main(cfg: DictConfig) -> None:
    """Print the results so far and the links, serve the page, and write the results at the end."""
    _require_packages()
    from imagen_lit.rating import server, web_app

    arguments.whole_numbers(cfg, raters=1, seed=0, port=0)
    for name in ("prompts", "edge"):
        if cfg[name] is not None:
            arguments.whole_number(name, cfg[name], 1)
    folder = chosen_folder.of("folder", cfg.folder)
    chosen_folder.require_writable("folder", cfg.folder, folder)
    listener = server.bind(str(cfg.host), cfg.port)
    here = open_study(cfg)
    here.database.invite(cfg.raters)
    port = listener.getsockname()[1]
    address = str(cfg.address or f"http://{cfg.host}:{port}").rstrip("/")
    _print_results(here)
    _print_links(here, address)
    if cfg.host not in EVERYONE and cfg.address is None:
        print(
            "only this machine reaches the page. For phones in the same network, set host=0.0.0.0 "
            "and address=http://<this machine's name>:<port>; for the world, put a proxy with "
            "TLS before it and set address=https://..."
        )
    print(
        "Ctrl-C ends it and writes the results; every vote is on the disk as it is given",
        flush=True,
    )
    server.serve(web_app.build(here, lambda: files(here)), listener)
    _print_results(here)
    _write(here, folder)
    here.database.close()
    print(f"the results: {folder / PAGE}\nevery rating: {folder / 'ratings.csv'}")


if __name__ == "__main__":
    main()
