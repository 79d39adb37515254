"""Reads two epochs of a pipe to their ends, after one of which it has enough at once."""

import json
import os
import struct
from pathlib import Path

CONFIG = json.loads(Path("/opt/ml/input/config/inputdataconfig.json").read_text())


def records(pipe):
    while header := pipe.read(8):
        _, length = struct.unpack("<II", header)
        yield pipe.read(length)
        pipe.read(-length % 4)


def main():
    base = os.environ["SM_CHANNEL_RECORDS"]
    with Path(f"{base}_0").open("rb") as pipe:
        first = next(records(pipe))
    print("enough after", chr(first[0]), len(first))
    for epoch in (1, 2):
        with Path(f"{base}_{epoch}").open("rb") as pipe:
            seen = [f"{chr(record[0])}{len(record)}" for record in records(pipe)]
        print("epoch", epoch, *seen)
    print("words", Path(os.environ["SM_CHANNEL_WORDS"], "first.txt").read_text().strip())
    print("modes", *(CONFIG[name]["TrainingInputMode"] for name in sorted(CONFIG)))


main()
