"""Imagen: a cascade of diffusion models that draws images from captions.

The files next to this one are the commands: `python -m imagen_lit.train`, `sample`, `evaluate` and
so on, each with a root config of the same name in `conf/`. The folders are what they are made of:
`diffusion` is the mathematics, `network` the layers, `data` the images with captions, `text` the
encoders, `stage` what a network learns, `cascade` how stages draw together, `run` what a training
run leaves behind. docs/architecture.md has the map. Nothing is re-exported here: each thing is
imported from the file that defines it.
"""

import sys

__version__ = "0.1.0"

if sys.argv[:1] == ["-m"]:  # Python is about to run a command, whose imports take seconds
    from imagen_lit.cli import bootstrap

    bootstrap.begin()
