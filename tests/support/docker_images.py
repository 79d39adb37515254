"""The images that tests run, and why a test cannot run here.

scripts/build_test_images.sh makes the images; `make test` calls it. A test that needs one carries
`@pytest.mark.docker` and skips with `missing(...)` as its reason.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess

PYTHON = "stepbridge-test/python:latest"  # Python 3.11 and bash, no numpy; CMD python3
PYTHON_39 = "stepbridge-test/python3.9:latest"  # likewise
SKLEARN = "stepbridge-test/sklearn:latest"  # ... with numpy, scikit-learn, joblib, boto3; no toolkit
TOOLKIT = (
    "stepbridge-test/toolkit:latest"  # ... with sagemaker-training: `train` (the CMD) and `serve` on 8080
)
INFERENCE = "stepbridge-test/inference:latest"  # SKLEARN with multi-model-server, TorchServe: `serve`
SDK = "stepbridge-test/sdk:latest"  # PYTHON with the SageMaker Python SDK v2, of the tests' own version
TORCH = "stepbridge-test/torch:latest"  # Python 3.11 and PyTorch for CPUs, with gloo


@functools.cache
def missing(*images: str) -> str:
    """Why tests that need these images cannot run here; empty where they can."""
    if shutil.which("docker") is None:
        return "no container engine (scripts/ensure_docker.sh installs one)"
    asked = subprocess.run(
        ["docker", "image", "inspect", *(images or (PYTHON,))], capture_output=True, text=True, check=False
    )
    if asked.returncode == 0:
        return ""
    if "No such image" in asked.stderr:
        found = {tag for image in json.loads(asked.stdout or "[]") for tag in image["RepoTags"]}
        absent = ", ".join(sorted(set(images or (PYTHON,)) - found))
        return f"no image {absent} (scripts/build_test_images.sh makes it)"
    return f"the container engine does not answer (scripts/ensure_docker.sh): {asked.stderr.strip()}"
