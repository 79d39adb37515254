"""Runs what is not a plain script: a function that makes a pipeline, or a notebook.

Started by path, in place of the program: `launch.py function FILE NAME JSON ARGUMENT...` or
`launch.py notebook FILE ARGUMENT...`. A problem that the user can solve is noted in this process's record.
"""

import json
import os
import sys


def main(arguments):
    kind, path = arguments[0], os.path.abspath(arguments[1])
    sys.path[0] = os.path.dirname(path)
    if kind == "function":
        from _stepbridge_program import function

        sys.argv = [path] + arguments[4:]
        function.run(path, arguments[2], json.loads(arguments[3]))
    else:
        from _stepbridge_program import notebook

        sys.argv = [path] + arguments[2:]
        notebook.run(path)


if __name__ == "__main__":
    main(sys.argv[1:])
