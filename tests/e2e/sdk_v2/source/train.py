"""Adds the numbers of a channel; the sum is the model."""

import argparse
import json
import os
import pathlib

from helper import numbers

parser = argparse.ArgumentParser()
parser.add_argument("--factor", type=int, default=1)
arguments = parser.parse_args()

total = arguments.factor * sum(numbers(os.environ["SM_CHANNEL_TRAIN"]))
model = pathlib.Path(os.environ["SM_MODEL_DIR"])
(model / "total.json").write_text(json.dumps({"total": total}))
print("total:", total)
