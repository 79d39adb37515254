import json
import os
from pathlib import Path

hyperparameters = json.loads(Path("/opt/ml/input/config/hyperparameters.json").read_text())
total = 0
for epoch in range(int(hyperparameters["epochs"])):
    total += epoch
    print("epoch", epoch, "total", total)
Path("/opt/ml/model/model.txt").write_text(f"{total} {os.environ['FLAVOR']}")
print("trained", total)
