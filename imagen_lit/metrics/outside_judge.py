"""Judges that run elsewhere (docs/judges.md): the images are put before them in a file, and the
scores of those that have answered are read back as scores like all others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.score import Score
from imagen_lit.image_set import judge_files
from imagen_lit.image_set.judge_files import JudgeRow
from imagen_lit.metrics.mean_scores import mean_scores
from imagen_lit.metrics.sample import Report, Sample

JUDGE = "judge"  # folder of what is put before judges, in that of an evaluation


@dataclass(frozen=True)
class OutsideJudge:
    """The judge of this name, whose scores lie in `folder/<name>`."""

    folder: Path
    name: str
    against = "nothing"

    @property
    def numbers(self) -> tuple[str, ...]:
        """One, called like the metric."""
        return (self.name,)

    def facts(self) -> Mapping[str, Any]:
        """Those of its judge.json."""
        return {"name": self.name, "judge": dict(self._read().facts)}

    def check(self, sample: Sample, reference: Any) -> None:
        """Raise if its answers are not those to these images."""
        self._read()

    def extract(self, sample: Sample, share: Share, report: Report) -> bool:
        """Nothing: it has looked at the images by itself."""
        return True

    def scores(self, sample: Sample, reference: Any) -> list[Score]:
        """The mean of its scores; with categories, also for each."""
        return mean_scores(self, self.name, self._read().values, sample)

    def _read(self) -> judge_files.JudgeScores:
        return judge_files.read_scores(self.folder, self.name)


def judged(folder: Path, rows: Sequence[JudgeRow], sample: Sample) -> list[Score]:
    """Put the images before judges to come, and return the scores of those that have answered."""
    judge_files.write_request(folder, rows)
    answers = sorted(folder.glob(f"*/{judge_files.SCORES}"))
    judges = (OutsideJudge(folder, file.parent.name) for file in answers)
    return [score for judge in judges for score in judge.scores(sample, None)]
