"""Fails where it is told to, and else writes a model; what it reads and says is for the tests to see."""

import argparse
import os
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--word")
word = parser.parse_args().word
marker = Path(os.environ["SM_CHANNEL_DATA"]) / "broken"
print("training says", word)
if marker.exists():
    raise ValueError(f"{marker.name} is there")
Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(word)
print("accuracy=0.75;")
