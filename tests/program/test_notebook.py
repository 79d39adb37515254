from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Runner

DECLARE = """import boto3
client = boto3.client("sagemaker")
client.create_pipeline(PipelineName="p", PipelineDefinition="{}", RoleArn="arn:aws:iam::123456789012:role/R",
                       ClientRequestToken="x" * 32)["PipelineArn"]"""


def notebook(runner: Runner, *cells: str | list[str]) -> str:
    """A notebook with these code cells, and text between them."""
    text: dict[str, Any] = {"cell_type": "markdown", "metadata": {}, "source": ["# Title"]}
    code = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": cell} for cell in cells]
    document = {"cells": [text, *code], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    runner.write("work/notebook.ipynb", json.dumps(document))
    return "work/notebook.ipynb"


@pytest.fixture(params=["IPython", "no IPython"])
def either(request: pytest.FixtureRequest, runner: Runner) -> Runner:
    """A runner whose interpreter has IPython, and one whose interpreter has not."""
    if request.param == "no IPython":
        without_ipython(runner)
    return runner


def without_ipython(runner: Runner) -> None:
    runner.write("blocked/sitecustomize.py", "import sys; sys.modules['IPython'] = None")
    runner.environment = {"PYTHONPATH": str(runner.workspace / "blocked")}


async def test_cells_run_in_order_in_one_process_in_the_notebooks_folder(either: Runner) -> None:
    target = notebook(
        either,
        ["import os\n", "here = os.path.basename(os.getcwd())"],
        "",
        "print(here, __name__, '__file__' in globals())",
        DECLARE,
        "print('end')",
    )
    result = await either.run(target, cwd=None)

    assert result.exit_code == 0, either.output
    assert either.printed()[0] == "work __main__ False"
    assert either.printed()[-1] == "end"
    assert [pipeline.name for pipeline in result.declared] == ["p"]


async def test_installs_are_left_out_with_a_notice(either: Runner) -> None:
    target = notebook(
        either,
        "!pip install nothing-of-this-name\n%pip install more\nprint('first')",
        "import sys\nif True:\n    !{sys.executable} -m pip install this\nprint('second')",
    )
    result = await either.run(target)
    assert result.exit_code == 0, either.output
    assert [line for line in either.printed() if line] == ["first", "second"]
    assert result.notices == (
        "notebook.ipynb[cell 1]: left out `!pip install nothing-of-this-name`",
        "notebook.ipynb[cell 1]: left out `%pip install more`",
        "notebook.ipynb[cell 2]: left out `!{sys.executable} -m pip install this`",
    )


async def test_scripts_that_a_notebook_writes(either: Runner) -> None:
    target = notebook(
        either,
        "%%writefile step.py\nprint('%d' % 1)\n",
        "%%time\nx = 1\n",
        "value = 7 \\\n    % 4\nprint(x, value)",
    )
    result = await either.run(target)
    assert result.exit_code == 0, either.output
    assert (either.workspace / "work" / "step.py").read_text() == "print('%d' % 1)\n"
    assert "1 3" in either.printed()


async def test_values_are_handed_on_by_store(runner: Runner, tmp_path: Path) -> None:
    environment = {"IPYTHONDIR": str(tmp_path / "ipython")}
    result = await runner.run(notebook(runner, "x = 5\n%store x"), environment=environment)
    assert result.exit_code == 0, runner.output
    result = await runner.run(notebook(runner, "%store -r x\nprint(x + 1)"), environment=environment)
    assert "6" in runner.printed()


async def test_other_magics_are_left_out_where_ipython_is_missing(runner: Runner) -> None:
    without_ipython(runner)
    result = await runner.run(notebook(runner, "%matplotlib inline\nfiles = !ls\nprint('on')"))
    assert runner.printed() == ["on"]
    assert [notice.partition(": ")[2] for notice in result.notices] == [
        "left out `%matplotlib inline` (IPython is not installed)",
        "left out `files = !ls` (IPython is not installed)",
    ]


async def test_an_error_names_cell_and_line(either: Runner) -> None:
    target = notebook(either, "x = 1", "def f():\n    return 1 / 0\nf()", "print('not reached')")
    result = await either.run(target)

    assert result.exit_code == 1
    assert result.failure is not None
    assert result.failure.message.endswith("notebook.ipynb[cell 2]:2: ZeroDivisionError: division by zero")
    assert "not reached" not in either.printed()
    shown = "\n".join(either.printed("stderr"))
    assert 'notebook.ipynb[cell 2]", line 3, in <module>' in shown
    assert "return 1 / 0" in shown
    assert "interactiveshell" not in shown
    assert "launch.py" not in shown


async def test_a_cell_that_is_no_python(either: Runner) -> None:
    result = await either.run(notebook(either, "x = 1", "def f(:\n"))
    assert result.failure is not None
    assert "notebook.ipynb[cell 2]:1: SyntaxError" in result.failure.message
