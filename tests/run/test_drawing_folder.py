"""Images are not drawn among the files of other work."""

from pathlib import Path

import left_runs
import pytest
from omegaconf import OmegaConf

from imagen_lit.run import drawing_folder, run_folder


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("runs", "is the folder of all runs"),
        ("runs/mine/..", "is the folder of all runs"),
        ("runs/mine/checkpoints", "is among the checkpoints of the run mine"),
        ("runs/mine/checkpoints/new", "is among the checkpoints of the run mine"),
        ("datasets/set", "holds shards"),
    ],
)
def test_a_folder_of_other_work_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    left_runs.leave(tmp_path / "runs", "mine")
    Path("datasets/set").mkdir(parents=True)
    Path("datasets/set/00000.tar").touch()
    with pytest.raises(ValueError, match=rf"^out={out} {words}.* Set out="):
        drawing_folder.refuse_taken(Path(out), "runs")
    for other in ("runs/mine", "runs/mine/samples", "new", "datasets"):
        drawing_folder.refuse_taken(Path(other), "runs")


def test_no_run_begins_in_the_folder_of_an_evaluation(tmp_path: Path) -> None:
    (tmp_path / "provenance.json").write_text("{}")
    with pytest.raises(ValueError, match=r"evaluation's\. Choose another name="):
        run_folder.refuse_other_settings(tmp_path, OmegaConf.create({"name": "ev"}))
