"""`image build`: a local image that stands for the managed one of a framework."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from stepbridge.engines.docker import DockerEngine
from stepbridge.jobs.image_build import FRAMEWORKS, BuiltImage, build_image

from .console import err


@click.group()
def image() -> None:
    """Build local images for steps.

    \b
    stepbridge image build sklearn --base python:3.11-slim
    """


@image.command("build")
@click.argument("framework", type=click.Choice(sorted(FRAMEWORKS)))
@click.option("--base", required=True, help="Image to build on: any with Python 3.8 or newer.")
@click.option("--tag", help="Name of the new image (default: stepbridge/<framework>:latest).")
@click.option("--requirement", "requirements", multiple=True, help="Packages or a file of them.")
@click.option(
    "--wheels",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Install from here, offline.",
)
@click.option(
    "--extra-index", default="", metavar="URL", help="A further package index (CPU builds of torch)."
)
def build(framework: str, base: str, **options: Any) -> None:
    """Make a script-mode image for a framework, on a base image of your choice.

    \b
    stepbridge image build sklearn --base python:3.11-slim --tag my-scikit-learn
    stepbridge image build pytorch --base python:3.11-slim --requirement requirements.txt
    """
    built = asyncio.run(_build(framework, base, options))
    click.echo(f"built {built.tag}; to use it, put into stepbridge.toml:\n\n{built.settings}")


async def _build(framework: str, base: str, options: dict[str, Any]) -> BuiltImage:
    engine = await DockerEngine.connect()
    try:
        return await build_image(
            engine, FRAMEWORKS[framework], base, output=lambda line: err().print(line), **options
        )
    finally:
        await engine.close()
