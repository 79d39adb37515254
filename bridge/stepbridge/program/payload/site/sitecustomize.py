"""Runs at the start of every interpreter that a pipeline program starts, before the program's first line.

Points boto3 at the local endpoint (`_stepbridge_program`). Python 3.8 and up, standard library only; it must
never fail a program: whatever goes wrong here is printed and forgotten. Any other `sitecustomize` that this
one shadows runs as well.
"""

import os
import sys


def _chain_load():
    """Run the `sitecustomize` that would have been found without ours."""
    from importlib.machinery import PathFinder

    here = os.path.dirname(os.path.abspath(__file__))
    others = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        spec.loader.exec_module(module_from_spec(spec))


def _activate():
    if "STEPBRIDGE_PROGRAM" in os.environ:
        from _stepbridge_program import startup

        startup.activate(os.environ["STEPBRIDGE_PROGRAM"])


for _act in (_chain_load, _activate):
    try:
        _act()
    except Exception as _error:
        sys.stderr.write("stepbridge: {} failed: {!r}\n".format(_act.__name__.strip("_"), _error))
