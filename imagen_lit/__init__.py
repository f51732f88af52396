"""Imagen as one small house: a cascade of diffusion models that draws pictures from captions.

`diffusion` is the mathematics, `network` the layers, `data` the pictures with captions,
`evaluation` the scores; `text` turns captions into vectors and `stage` teaches a network what the
mathematics asks. The single files beside them are the doors: `python -m imagen_lit.train`,
`sample`, `evaluate` and so on, each with a root config of the same name in `conf/`. Nothing is
re-exported here: a thing has one address, the file that defines it.
"""

import sys

__version__ = "0.1.0"

if sys.argv[:1] == ["-m"]:  # Python is on its way to a door, and has imported nothing else yet
    from imagen_lit import start

    sys.excepthook = start.interrupted
