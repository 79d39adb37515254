"""Multiplies by the number in its model."""

import json
from pathlib import Path


def model_fn(model_dir):
    factor = json.loads(Path(model_dir, "factor.json").read_text())
    return factor  # noqa: RET504 - a breakpoint wants a line of its own


def input_fn(body, content_type):
    return json.loads(body)


def predict_fn(number, factor):
    product = number * factor
    return product  # noqa: RET504


def output_fn(product, accept):
    return json.dumps(product)
