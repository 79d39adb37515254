"""`graph`: a pipeline, or one of its runs, as SVG."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from stepbridge.definition.document import PipelineDefinition, parse
from stepbridge.definition.graph import graph as graph_of

from .console import duration
from .drawing import Line, Node, draw
from .history import find_run, open_journal


@click.command()
@click.argument("target", metavar="[PROGRAM]", required=False)
@click.option("--run", "run_id", metavar="RUN", help="Draw a run with its statuses: an id, or `latest`.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write (default: standard output)."
)
def graph(target: str | None, run_id: str | None, output: Path | None) -> None:
    """Draw a pipeline as SVG.

    PROGRAM is pipeline.py, pipeline.py:get_pipeline, or a definition.json.

    \b
    stepbridge graph pipeline.py -o pipeline.svg
    stepbridge graph --run latest -o run.svg
    """
    if (target is None) == (run_id is None):
        raise click.UsageError("Name a program, or a run with --run.")
    text = _of_run(run_id) if run_id else asyncio.run(_of_program(str(target)))
    if output:
        output.write_text(text, "utf-8")
    else:
        click.echo(text, nl=False)


def _of_run(run_id: str) -> str:
    _, journal = open_journal()
    record = find_run(journal, run_id)
    states = {state["name"]: state for state in journal.steps(record.run)}
    return picture(parse(record.definition_text), f"{record.pipeline} {record.run}", states)


async def _of_program(target: str) -> str:
    from .compile import compiled

    name, definition = await compiled(target)
    return picture(definition, name, {})


def picture(definition: PipelineDefinition, title: str, states: Mapping[str, Mapping[str, Any]]) -> str:
    """SVG of a definition; `states` are the journal's steps by name, empty where it has not run."""
    edges = graph_of(definition)
    nodes = [_node(step.name, step.type, states.get(step.name)) for step in definition.walk()]
    lines: dict[tuple[str, str], Line] = {}
    for edge in edges.edges:
        branch = ""
        if edge.kind == "branch":
            step = definition.step(edge.target)
            branch = str(step.branch[1]) if step.branch else ""
        known = lines.get((edge.source, edge.target))
        if known is None or branch:
            lines[edge.source, edge.target] = Line(edge.source, edge.target, branch)
    return draw(nodes, list(lines.values()), title)


def _node(name: str, kind: str, state: Mapping[str, Any] | None) -> Node:
    if state is None:
        return Node(name, kind)
    note = ""
    if state["cached_from"]:
        note = "cached"
    elif state["started"] and state["ended"]:
        note = duration(state["ended"] - state["started"])
    return Node(name, kind, state["status"], note)
