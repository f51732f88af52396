"""A cascade is examined: held-out prompts are drawn and read, and every step gets its scores.

`scores.json` says what was right, for each category and each step of the cascade, with intervals;
`readings.jsonl` says it prompt by prompt.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit import door, run_folder
from imagen_lit.cascade import Cascade
from imagen_lit.data.aside import aside
from imagen_lit.evaluation.examination import HeldOut
from imagen_lit.evaluation.figure import opened
from imagen_lit.sample import draw, files
from imagen_lit.text.encoder import HuggingFace


def evaluate(
    cascade: Cascade,
    encoder: HuggingFace,
    examiner: HeldOut,
    folder: Path,
    batch: int,
    protocol: dict[str, Any],
    tell: Callable[[int, int], None],
) -> dict[str, Any]:
    """The scores by step and category, also written into the folder.

    Pictures that are already there are kept, if they were drawn under the same protocol by the same
    weights; else all are drawn anew.
    """
    seen = {name: run_folder.images_seen(Path(step.run)) for name, step in cascade.steps.items()}
    protocol = protocol | {"images_seen": seen, "text": encoder.fingerprint()}
    pictures = _only_of(folder, protocol)
    wanted = list(zip(examiner.prompts, examiner.seeds, strict=True))
    paths = [files(cascade, pictures, *each) for each in wanted]
    owed = [
        w
        for w, made in zip(wanted, paths, strict=True)
        if not all(f.exists() for f in made.values())
    ]
    for done, _ in enumerate(draw(cascade, encoder, owed, pictures, batch), 1):
        tell(len(wanted) - len(owed) + done, len(wanted))
    marks = {
        name: [
            examiner.mark(i, opened(made[name]))
            | {"seed": wanted[i][1], "picture": os.path.relpath(made[name], folder)}
            for i, made in enumerate(paths)
        ]
        for name in cascade.steps
    }
    scores = {
        "protocol": protocol | {"prompts": len(wanted), "interval": "Wilson, 95 %"},
        "score/alignment": {name: examiner.score(rows) for name, rows in marks.items()},
    }
    lines = (json.dumps({"step": name} | row) for name, rows in marks.items() for row in rows)
    _write(folder / "marks.jsonl", "".join(f"{line}\n" for line in lines))
    _write(folder / "scores.json", json.dumps(scores, indent=2))
    return scores


def _only_of(folder: Path, protocol: dict[str, Any]) -> Path:
    """The folder of pictures, emptied of those drawn under another protocol or by other weights."""
    pictures, said = folder / "pictures", folder / "protocol.json"
    wanted = json.dumps(protocol, indent=2, sort_keys=True)
    if not said.exists() or said.read_text() != wanted:
        shutil.rmtree(pictures, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        _write(said, wanted)
    return pictures


def _write(file: Path, text: str) -> None:
    with aside(file) as handle:
        handle.write(text.encode())


def tell(done: int, count: int) -> None:
    end = "\n" if done == count else ""
    if sys.stderr.isatty() or done == count or done % 64 == 0:
        print(
            f"\rdrawn {done}/{count} prompts",
            end=end or ("" if sys.stderr.isatty() else "\n"),
            file=sys.stderr,
        )


def told(scores: dict[str, Any]) -> str:
    """The scores as lines of text."""
    lines = []
    for step, categories in scores["score/alignment"].items():
        for category, row in categories.items():
            low, high = row["interval"]
            lines.append(
                f"{step:5} {category:6} {row['exact']:.3f}  [{low:.3f}, {high:.3f}]  n={row['n']}"
            )
    return "\n".join(lines)


@door.main("evaluate")
def main(cfg: DictConfig) -> None:
    folder = Path(cfg.out)
    scores = evaluate(
        door.build(cfg.cascade),
        door.build(cfg.text),
        door.build(cfg.examiner),
        folder,
        cfg.batch,
        {"cascade": OmegaConf.to_container(cfg.cascade, resolve=True)},
        tell,
    )
    print(told(scores))
    print(f"scores are in {folder / 'scores.json'}")


if __name__ == "__main__":
    main()
