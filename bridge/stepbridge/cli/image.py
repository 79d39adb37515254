"""`image build`: a local image that stands for the managed one of a framework."""

from __future__ import annotations

import asyncio
from pathlib import Path

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
def build(
    framework: str, base: str, tag: str | None, requirements: tuple[str, ...], wheels: Path | None
) -> None:
    """Make a script-mode image for a framework, on a base image of your choice.

    \b
    stepbridge image build sklearn --base python:3.11-slim --tag my-scikit-learn
    stepbridge image build pytorch --base python:3.11-slim --requirement requirements.txt
    """
    built = asyncio.run(_build(framework, base, tag, requirements, wheels))
    click.echo(f"built {built.tag}; to use it, put into stepbridge.toml:\n\n{built.settings}")


async def _build(
    framework: str, base: str, tag: str | None, requirements: tuple[str, ...], wheels: Path | None
) -> BuiltImage:
    engine = await DockerEngine.connect()
    try:
        return await build_image(
            engine,
            FRAMEWORKS[framework],
            base,
            tag=tag,
            requirements=requirements,
            wheels=wheels,
            output=lambda line: err().print(line),
        )
    finally:
        await engine.close()
