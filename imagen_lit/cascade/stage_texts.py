"""What the stages of a cascade read besides the prompts as they are: prompts that a stage words
otherwise, and the text that its guidance leads away from."""

from collections.abc import Mapping, Sequence

from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.prompt_template import PROMPT
from imagen_lit.cascade.trained_stage import TrainedStage
from imagen_lit.stage.condition import Condition
from imagen_lit.text.text_encoder import TextEncoder

Stages = Mapping[str, TrainedStage]


def others(
    stages: Stages, shape: DrawingPass, encoder: TextEncoder, prompts: Sequence[str]
) -> dict[str, Condition]:
    """The conditions of the stages that word the prompts otherwise; each wording is encoded
    once."""
    templates = {name: stage.prompt for name, stage in stages.items()}
    conditions = {
        template: shape.condition(encoder, prompts, template)
        for template in {*templates.values()} - {PROMPT}
    }
    return {
        name: conditions[template] for name, template in templates.items() if template != PROMPT
    }


def negatives(stages: Stages, shape: DrawingPass, encoder: TextEncoder) -> dict[str, Condition]:
    """The texts that stages are led away from."""
    return {
        name: shape.same_text(encoder, stage.negative)
        for name, stage in stages.items()
        if stage.negative is not None
    }
