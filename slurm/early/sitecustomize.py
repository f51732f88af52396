"""Signals that come while Python still imports do not end a job.

A task that has no handler yet dies of USR1, USR2 or TERM, and SLURM calls that FAILED and requeues
nothing. So in a job they are ignored until somebody wants them (imagen_lit.callbacks.preemption).
Python runs this file before all else if its folder is on PYTHONPATH; a sitecustomize that it hides
runs after it.
"""

import os
import signal
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

if "SLURM_JOB_ID" in os.environ:
    for _name in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
        if signal.getsignal(_name) == signal.SIG_DFL:
            signal.signal(_name, signal.SIG_IGN)

_here = os.path.dirname(os.path.abspath(__file__))
_others = [path for path in sys.path if os.path.abspath(path) != _here]
_hidden = PathFinder.find_spec("sitecustomize", _others)
if _hidden is not None and _hidden.loader is not None:
    _hidden.loader.exec_module(module_from_spec(_hidden))
