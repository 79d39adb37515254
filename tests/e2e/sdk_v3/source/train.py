"""Adds the numbers of a channel; the sum is the model."""

import json
import os
import pathlib

from helper import numbers

factor = int(json.loads(os.environ["SM_HPS"])["factor"])
total = factor * sum(numbers(os.environ["SM_CHANNEL_TRAIN"]))
model = pathlib.Path(os.environ["SM_MODEL_DIR"])
(model / "total.json").write_text(json.dumps({"total": total}))
print("total:", total)
