"""Train the classifier on the `train` channel; leave it and the code that serves it in the model folder."""

import argparse
import os
import shutil
from pathlib import Path

import joblib
import numpy as np
from model import MODEL_FILE, build_model
from sklearn.model_selection import cross_val_score


def flag(text):
    return text.strip().lower() in ("1", "true", "yes")


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--max-depth", type=int, default=None)
    parser.add_argument("--standardize", type=flag, default=True)
    parser.add_argument("--train", type=Path, default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--model-dir", type=Path, default=os.environ.get("SM_MODEL_DIR"))
    return parser.parse_args()


def read(folder):
    table = np.loadtxt(folder / "train.csv", delimiter=",", skiprows=1)
    labels = table[:, 0].astype(int)
    features = table[:, 1:]
    return features, labels


def save(model, folder):
    joblib.dump(model, folder / MODEL_FILE)
    code = folder / "code"
    code.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).with_name("model.py"), code)


def main():
    arguments = parse_arguments()
    features, labels = read(arguments.train)
    print(f"training on {features.shape[0]} rows of {features.shape[1]} features")

    model = build_model(arguments.trees, arguments.max_depth, arguments.standardize)
    scores = cross_val_score(model, features, labels, cv=3)
    print(f"cross-validation accuracy: {scores.mean():.3f}")

    model.fit(features, labels)
    save(model, arguments.model_dir)


if __name__ == "__main__":
    main()
