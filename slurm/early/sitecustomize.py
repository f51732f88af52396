"""Signals that come while Python is still importing do not end a job.

A task without handlers dies of USR1, USR2 or TERM, and SLURM calls that FAILED and requeues
nothing. So in a job they are ignored until handlers are installed (imagen_lit/run/slurm.py).
Python runs this file before anything else if its folder is on PYTHONPATH; a sitecustomize that this
one shadows runs after it.
"""

import os
import signal
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

if "SLURM_JOB_ID" in os.environ:
    for _number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
        if signal.getsignal(_number) == signal.SIG_DFL:
            signal.signal(_number, signal.SIG_IGN)

_folder = os.path.dirname(os.path.abspath(__file__))
_other_paths = [path for path in sys.path if os.path.abspath(path) != _folder]
_hidden = PathFinder.find_spec("sitecustomize", _other_paths)
if _hidden is not None and _hidden.loader is not None:
    _hidden.loader.exec_module(module_from_spec(_hidden))
