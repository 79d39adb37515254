"""Runs a notebook's code cells in order, in this process: with IPython where installed, plainly without.

Cells that install packages are left out with a notice: a run does not change the user's environment. Without
IPython, magics and shell lines are left out as well, save `%%writefile`, which notebooks use to make scripts.
"""

import json
import linecache
import os
import re
import sys
import types

from . import startup

_INSTALL = re.compile(r"^\s*[!%]+\s*(\{?\s*sys\.executable\s*\}?\s+-m\s+)?(pip3?|conda|mamba|uv)\b")
_MAGIC = re.compile(r"^(\s*)(?:%\w|!(?!=))|^(\s*)[\w, ]+=\s*[!%]\w")


def run(path):
    """Run the notebook at `path`. An error in a cell ends the run, with the cell's own traceback."""
    os.chdir(os.path.dirname(path))
    sys.path[0] = os.getcwd()
    runner = _with_ipython() or _plainly()
    for number, source in _code_cells(path):
        name = "{}[cell {}]".format(os.path.basename(path), number)
        runner(_without_installs(source, name), name)


def _code_cells(path):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    number = 0
    for cell in document.get("cells", ()):
        if cell.get("cell_type") != "code":
            continue
        number += 1
        source = cell.get("source", "")
        source = "".join(source) if isinstance(source, list) else source
        if source.strip():
            yield number, source


def _notice(name, text):
    startup.record.notices.append("{}: {}".format(name, text))


def _without_installs(source, name):
    kept = []
    for line in source.splitlines(keepends=True):
        if _INSTALL.match(line):
            _notice(name, "left out `{}`".format(line.strip()))
            line = re.match(r"\s*", line).group().rstrip("\r\n") + "pass\n"
        kept.append(line)
    return "".join(kept)


def _with_ipython():
    try:
        from IPython.core.interactiveshell import InteractiveShell
    except ImportError:
        return None
    main = types.ModuleType("__main__")
    shell = InteractiveShell.instance(user_module=main, user_ns=vars(main))
    sys.modules["__main__"] = main
    shell.showtraceback = shell.showsyntaxerror = lambda *arguments, **named: None  # we show it
    try:
        shell.run_line_magic("load_ext", "storemagic")
    except Exception as error:
        _notice("%store", "not available: {}".format(error))

    def run_cell(source, name):
        shell.compile.get_code_name = lambda raw, transformed, number: name
        result = shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            raise error

    return run_cell


def _plainly():
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main

    def run_cell(source, name):
        source = _without_magics(source, name)
        lines = source.splitlines(keepends=True)
        linecache.cache[name] = (len(source), None, lines, name)
        exec(compile(source, name, "exec"), vars(main))

    return run_cell


def _without_magics(source, name):
    first = source.lstrip().partition("\n")[0]
    if first.startswith("%%"):
        magic, _, rest = first[2:].partition(" ")
        body = source.lstrip().partition("\n")[2]
        if magic in ("time", "timeit", "capture"):
            return _without_magics("\n" + body, name)
        if magic == "writefile":
            _write_file(rest.split(), body)
        else:
            _notice(name, "left out `%%{}` (IPython is not installed)".format(magic))
        return ""
    kept = []
    for line in source.splitlines(keepends=True):
        match = _MAGIC.match(line)
        if match:
            _notice(name, "left out `{}` (IPython is not installed)".format(line.strip()))
            line = (match.group(1) or match.group(2) or "") + "pass\n"
        kept.append(line)
    return "".join(kept)


def _write_file(arguments, body):
    append = "-a" in arguments or "--append" in arguments
    path = [argument for argument in arguments if not argument.startswith("-")][-1]
    with open(path, "a" if append else "w", encoding="utf-8") as file:
        file.write(body)
