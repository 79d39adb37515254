"""The shape of torchrun: on every host a launcher, which starts the workers and tells each its rank."""

import json
import os
import subprocess
import sys

hosts = json.loads(os.environ["SM_HOSTS"])
environment = dict(
    os.environ,
    RANK=str(hosts.index(os.environ["SM_CURRENT_HOST"])),
    WORLD_SIZE=str(len(hosts)),
    MASTER_ADDR=hosts[0],
    MASTER_PORT="29500",
)
worker = subprocess.Popen([sys.executable, "-u", "worker.py"], env=environment)
sys.exit(worker.wait())
