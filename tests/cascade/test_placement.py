"""On an accelerator, which here is the stand-in, the weights of one stage at a time are there."""

import json
from pathlib import Path

import warm

SCRIPT = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[1] / "helpers")!r})
import stand_in
import torch
from tiny_run import Encoder, leave_run
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cli import config
from imagen_lit.stage.condition import Condition

runs, out = map(Path, sys.argv[1:])
for name in ("base", "sr"):
    leave_run(runs, name)
words = [f"runs={{runs}}", "cascade.base.recipe.steps=2", "cascade.sr.recipe.steps=2"]
words += ["diffusion/guidance@cascade.base.recipe.guidance=interval"]
node = config.compose("sample", [*words, "~cascade.sr2"]).cascade
text, mask = Encoder().encode(["a red circle"])
placed = []

def draw(cascade):
    def each_step(stage, number):
        placed.append([name for name, each in cascade.stages.items()
                       if any(p.device.type == "lab" for p in each.denoiser.parameters())])

    with stand_in.accelerator():
        condition = Condition(text.to("lab"), mask.to("lab"))
        stand_in.reads.clear()
        images = [x for _, x in cascade.draw(condition, [7], each_step)]
        rest = [place for place in stand_in.reads if "each.to(device)" not in place]
        assert rest == [], rest  # but for the copies of weights
        return [x.cpu() for x in images]

both = config.build(node)
same = all(map(torch.equal, draw(both), draw(both)))
alone = Cascade(base=config.build(node.base))
draw(alone)
before = [id(p) for p in alone.stages["base"].denoiser.parameters()]
draw(alone)
stays = before == [id(p) for p in alone.stages["base"].denoiser.parameters()]
out.write_text(json.dumps([placed, same, stays]))
"""


def test_the_weights_of_one_stage_at_a_time_are_on_the_device(tmp_path: Path) -> None:
    out, errors = tmp_path / "out.json", tmp_path / "errors"
    words = [str(tmp_path / "runs"), str(out)]
    status = warm.wait(warm.script(SCRIPT, words, tmp_path, tmp_path / "stdout", errors))
    assert status == 0, errors.read_text()[-3000:]
    placed, same, stays = json.loads(out.read_text())
    assert placed == [["base"], ["base"], ["sr"], ["sr"]] * 2 + [["base"]] * 4
    assert same, "weights that were away draw what they drew before"
    assert stays, "a stage that draws alone is not copied again for each batch"
