"""Script mode for an image without the training toolkit: runs inside the container, Python 3.6 and up.

Does what the toolkit does for a single process: installs requirements.txt, sets the SM_* environment, runs
the user's program with the hyperparameters as arguments.
Standard library only; the user's script runs as a child, so that its exit code and output stay its own.
"""

import glob
import json
import os
import signal
import subprocess
import sys

BASE = "/opt/ml"
CODE = os.path.join(BASE, "code")


def read_json(name):
    try:
        with open(os.path.join(BASE, "input", "config", name)) as file:
            return json.load(file)
    except (OSError, IOError):
        return {}


def decoded(value):
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def as_text(value):
    if isinstance(value, str):
        return value
    return json.dumps(value)


def arguments(hyperparameters):
    """Sorted `--name value` pairs, as the toolkit orders them; a one-letter name gets one dash."""
    words = []
    for name in sorted(hyperparameters):
        value = hyperparameters[name]
        words.append(("-" if len(name) == 1 else "--") + name)
        words.append(str(value) if isinstance(value, bool) or value is None else as_text(value))
    return words


def cpus():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def environment(user, resources, channels, program):
    data = os.path.join(BASE, "input", "data")
    hosts = resources.get("hosts", ["algo-1"])
    host = resources.get("current_host", "algo-1")
    group = resources.get("current_group_name", "")
    groups = dict((item["instance_group_name"], item) for item in resources.get("instance_groups", []))
    values = {
        "SM_MODEL_DIR": os.path.join(BASE, "model"),
        "SM_INPUT_DIR": os.path.join(BASE, "input"),
        "SM_INPUT_CONFIG_DIR": os.path.join(BASE, "input", "config"),
        "SM_OUTPUT_DIR": os.path.join(BASE, "output"),
        "SM_OUTPUT_DATA_DIR": os.path.join(BASE, "output", "data"),
        "SM_OUTPUT_INTERMEDIATE_DIR": os.path.join(BASE, "output", "intermediate"),
        "SM_MODULE_DIR": CODE,
        "SM_MODULE_NAME": os.path.splitext(program)[0],
        "SM_USER_ENTRY_POINT": program,
        "SM_CURRENT_HOST": host,
        "SM_HOSTS": json.dumps(hosts),
        "SM_MASTER": "algo-1",
        "SM_CURRENT_INSTANCE_TYPE": resources.get("current_instance_type", ""),
        "SM_CURRENT_INSTANCE_GROUP": group,
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": json.dumps(groups.get(group, {}).get("hosts", [])),
        "SM_INSTANCE_GROUPS": json.dumps(list(groups)),
        "SM_INSTANCE_GROUPS_DICT": json.dumps(groups),
        "SM_NETWORK_INTERFACE_NAME": resources.get("network_interface_name", "eth0"),
        "SM_NUM_CPUS": str(cpus()),
        "SM_NUM_GPUS": os.environ.get("SM_NUM_GPUS", str(len(glob.glob("/dev/nvidia[0-9]*")))),
        "SM_LOG_LEVEL": os.environ.get("SM_LOG_LEVEL", "20"),
        "SM_CHANNELS": json.dumps(sorted(channels)),
        "SM_INPUT_DATA_CONFIG": json.dumps(channels),
        "SM_RESOURCE_CONFIG": json.dumps(resources),
        "SM_HPS": json.dumps(user, sort_keys=True),
        "SM_USER_ARGS": json.dumps(arguments(user)),
    }
    for name in channels:
        values["SM_CHANNEL_" + name.upper()] = os.path.join(data, name)
    for name, value in user.items():
        values["SM_HP_" + name.upper()] = as_text(value)
    values["SM_TRAINING_ENV"] = json.dumps(
        {
            "channel_input_dirs": dict((name, os.path.join(data, name)) for name in channels),
            "current_host": host,
            "hosts": hosts,
            "hyperparameters": user,
            "input_dir": values["SM_INPUT_DIR"],
            "model_dir": values["SM_MODEL_DIR"],
            "module_dir": CODE,
            "module_name": values["SM_MODULE_NAME"],
            "output_data_dir": values["SM_OUTPUT_DATA_DIR"],
            "user_entry_point": program,
        }
    )
    return values


def fail(message):
    sys.stderr.write(message + "\n")
    try:
        with open(os.path.join(BASE, "output", "failure"), "w") as file:
            file.write(message)
    except (OSError, IOError):
        pass


def install_requirements():
    path = os.path.join(CODE, "requirements.txt")
    if os.path.exists(path):
        subprocess.check_call([sys.executable, "-m", "pip", "install", "-r", path])


def command(program, user):
    if program.endswith(".sh"):
        return ["/bin/bash", program] + arguments(user)
    return [sys.executable, program] + arguments(user)


def main():
    raw = dict((name, decoded(value)) for name, value in read_json("hyperparameters.json").items())
    user = dict((name, value) for name, value in raw.items() if not name.startswith(("sagemaker_", "sm_")))
    program = raw.get("sagemaker_program")
    if not program:
        fail("no sagemaker_program among the hyperparameters: this image has no `train` command of its own")
        return 1
    os.chdir(CODE)
    try:
        install_requirements()
    except subprocess.CalledProcessError as error:
        fail("pip install -r requirements.txt ended with code %d" % error.returncode)
        return error.returncode
    environ = dict(os.environ)
    environ.update(
        environment(user, read_json("resourceconfig.json"), read_json("inputdataconfig.json"), program)
    )
    environ["PYTHONPATH"] = os.pathsep.join([CODE] + [p for p in [environ.get("PYTHONPATH")] if p])
    child = subprocess.Popen(command(program, user), env=environ)
    signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(number))
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
