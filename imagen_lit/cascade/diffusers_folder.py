"""An exported cascade below a folder that diffusers opens: its index, and the file of the pipeline,
which says where it is defined (imagen_lit/cascade/diffusers_pipeline.py)."""

from pathlib import Path

from imagen_lit.basics.atomic import write_json, write_text

CASCADE, PIPELINE = "cascade", "pipeline.py"
MODULE = "imagen_lit.cascade.diffusers_pipeline"
SOURCE = f'''"""The pipeline of this folder; it needs imagen_lit installed beside diffusers."""

from {MODULE} import ImagenPipeline

__all__ = ["ImagenPipeline"]
'''


def write(folder: Path) -> None:
    """Add what diffusers looks for."""
    write_text(folder / PIPELINE, SOURCE)
    index = {"_class_name": "ImagenPipeline", "_diffusers_version": "0.42.1"}
    write_json(folder / "model_index.json", {**index, CASCADE: [MODULE, "CascadeModel"]})
