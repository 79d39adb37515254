"""Learns the mean of the numbers in the `training` channel; needs the standard library only."""

import argparse
import json
import os
from pathlib import Path


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--training", type=Path, default=os.environ.get("SM_CHANNEL_TRAINING"))
    parser.add_argument("--model-dir", type=Path, default=os.environ.get("SM_MODEL_DIR"))
    return parser.parse_known_args()[0]


def main():
    arguments = parse_arguments()
    numbers = []
    for file in sorted(arguments.training.iterdir()):
        numbers += [float(line) for line in file.read_text().splitlines() if line]
    mean = sum(numbers) / len(numbers)
    print("mean of", len(numbers), "numbers:", mean)
    (arguments.model_dir / "model.json").write_text(json.dumps({"mean": mean}))


if __name__ == "__main__":
    main()
