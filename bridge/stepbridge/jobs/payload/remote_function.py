"""Stands before the SDK's job_driver.sh: can this Python call the function that the SDK pickled?

usage: remote_function.py STEP IMAGE ENTRYPOINT... ARGUMENTS...    Python 3.6 and up, standard library only.

The SDK's bootstrap compares the versions too, and says neither the step nor what to do. A conda environment
of the job's own is left to it. From 2.256 on, the SDK names itself as a dependency of every function: where
the image has it, nothing is installed, so that no network is needed and no interpreter of the user's changes.
"""

import importlib.util
import json
import os
import sys

FAILURE = "/opt/ml/output/failure"
CHANNELS = "/opt/ml/input/data"
INSTALLING = ("pre_exec_script_and_dependencies", "sm_rf_user_ws")  # their content may install the SDK
OWN_REQUIREMENT = "sagemaker_requirements_"  # of the file in which the SDK asks for itself
LEAST = (2, 256)  # what it asks for
DEPENDENCIES = "--dependency_settings"
ADVICE = (
    "Map the image to one with Python %s and the SageMaker Python SDK ([images] in stepbridge.toml), "
    "or use --engine process, which takes your own interpreter"
)


def value_of(option, words):
    """The word behind an option; "" where it is not given."""
    return words[words.index(option) + 1] if option in words[:-1] else ""


def problem(step, image, words):
    """What keeps the function from being called here; "" where nothing is known to."""
    wanted, here = value_of("--client_python_version", words), "%d.%d" % sys.version_info[:2]
    if wanted and wanted != here:
        said = (
            "the function of step %s was pickled by Python %s, which image %s cannot read: it has Python %s. "
        )
        return said % (step, wanted, image, here) + ADVICE % wanted
    if not may_install() and not has_sdk():
        said = "image %s lacks the SageMaker Python SDK, which calls the function of step %s. "
        return said % (image, step) + ADVICE % (wanted or here)
    return ""


def may_install():
    return any(os.path.isdir(os.path.join(CHANNELS, name)) for name in INSTALLING)


def has_sdk():
    return importlib.util.find_spec("sagemaker") is not None


def without_own_requirement(image, words):
    """The arguments, with nothing to install where the SDK asks only for what is here."""
    given = value_of(DEPENDENCIES, words)
    name = json.loads(given).get("dependency_file") if given else ""
    if not (name or "").startswith(OWN_REQUIREMENT):
        return words
    here, wanted = sdk_version(), numbers(value_of("--client_sagemaker_pysdk_version", words))
    if here >= LEAST and here[:1] == wanted[:1]:
        index = words.index(DEPENDENCIES) + 1
        return words[:index] + ['{"dependency_file": null}'] + words[index + 1 :]
    text = "stepbridge: image %s has no SageMaker Python SDK %s.x; pip fetches it at every start of the step"
    sys.stderr.write(text % (image, wanted[0] if wanted else 2) + "\n")
    return words


def sdk_version():
    """(2, 257, 7); () where the SDK is not installed, or this Python is older than the SDK's."""
    try:
        from importlib import metadata

        return numbers(metadata.version("sagemaker"))
    except ImportError:  # so is PackageNotFoundError
        return ()


def numbers(version):
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def main(step, image, *words):
    words = list(words)
    if not (value_of("--job_conda_env", words) or os.environ.get("SAGEMAKER_JOB_CONDA_ENV")):
        said = problem(step, image, words)
        if said:
            with open(FAILURE, "w") as file:
                file.write(said)
            sys.exit(said)
        words = without_own_requirement(image, words)
    sys.stderr.flush()
    os.execvp(words[0], words)


if __name__ == "__main__":
    main(*sys.argv[1:])
