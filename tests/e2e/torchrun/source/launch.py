"""torchrun on every host, as the SDK's `torch_distributed` has the training toolkit do it."""

import json
import os
import subprocess
import sys

hosts = json.loads(os.environ["SM_HOSTS"])
command = [sys.executable, "-m", "torch.distributed.run"]
command += ["--nnodes", str(len(hosts)), "--node_rank", str(hosts.index(os.environ["SM_CURRENT_HOST"]))]
command += ["--nproc_per_node", "1", "--master_addr", hosts[0], "--master_port", "7777"]
command += ["--redirects", "1", "--tee", "1"]  # PyTorch 1.13 cannot read its default, 0, on Python 3.11
sys.exit(subprocess.call([*command, "train.py"]))
