"""The classifier: how it is built, and how the serving container loads it."""

from pathlib import Path

import joblib
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MODEL_FILE = "model.joblib"


def build_model(trees, max_depth, standardize):
    forest = RandomForestClassifier(n_estimators=trees, max_depth=max_depth, random_state=7)
    steps = [StandardScaler(), forest] if standardize else [forest]
    return make_pipeline(*steps)


def model_fn(model_dir):
    return joblib.load(Path(model_dir) / MODEL_FILE)
