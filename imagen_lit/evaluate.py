"""A cascade is examined: held-out prompts are drawn and read, and every step gets its scores.

`scores.json` says what was right, for each category and each step of the cascade, with intervals;
`marks.jsonl` says it prompt by prompt.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit import door, protocol
from imagen_lit.cascade import Cascade
from imagen_lit.data.aside import aside
from imagen_lit.evaluation.examination import HeldOut
from imagen_lit.evaluation.figure import opened
from imagen_lit.pace import Counter
from imagen_lit.sample import draw, files
from imagen_lit.text.encoder import HuggingFace


def evaluate(
    cascade: Cascade,
    encoder: HuggingFace,
    examiner: HeldOut,
    folder: Path,
    batch: int,
    asked: dict[str, Any],
    tell: Callable[[int, int], None],
) -> dict[str, Any]:
    """The scores by step and category, also written into the folder.

    Pictures that are already there are kept, and drawn anew where the weights have changed since;
    a folder in which something else was `asked` for is refused.
    """
    drawn_so = protocol.of(cascade, encoder.fingerprint(), asked)
    protocol.refuse_another(folder, drawn_so)
    pictures = protocol.only_of(folder, drawn_so)
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
        "protocol": drawn_so | {"prompts": len(wanted), "interval": "Wilson, 95 %"},
        "score/alignment": {name: examiner.score(rows) for name, rows in marks.items()},
    }
    lines = (json.dumps({"step": name} | row) for name, rows in marks.items() for row in rows)
    _write(folder / "marks.jsonl", "".join(f"{line}\n" for line in lines))
    _write(folder / "scores.json", json.dumps(scores, indent=2))
    return scores


def _write(file: Path, text: str) -> None:
    with aside(file) as handle:
        handle.write(text.encode())


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


def asked(cfg: DictConfig) -> dict[str, Any]:
    """What of the settings decides over pictures and marks."""
    parts = {"cascade": cfg.cascade, "examiner": cfg.examiner}
    return {name: OmegaConf.to_container(part, resolve=True) for name, part in parts.items()}


@door.main("evaluate")
def main(cfg: DictConfig) -> None:
    door.whole(cfg, batch=1)
    folder = Path(cfg.out)
    scores = evaluate(
        door.build(cfg.cascade),
        door.build(cfg.text),
        door.build(cfg.examiner),
        folder,
        cfg.batch,
        asked(cfg),
        Counter("prompts drawn"),
    )
    print(told(scores))
    print(f"scores are in {folder / 'scores.json'}")


if __name__ == "__main__":
    main()
