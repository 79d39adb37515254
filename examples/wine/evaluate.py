"""Measure the trained model on the test file and write the report that the pipeline decides on."""

import json
import tarfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.metrics import accuracy_score, f1_score

BASE = Path("/opt/ml/processing")


def load_model(archive):
    with tarfile.open(archive) as tar:
        return joblib.load(tar.extractfile("model.joblib"))


def main():
    model = load_model(BASE / "model" / "model.tar.gz")
    table = np.loadtxt(BASE / "test" / "test.csv", delimiter=",", skiprows=1)
    labels = table[:, 0].astype(int)
    predicted = model.predict(table[:, 1:])

    accuracy = accuracy_score(labels, predicted)
    f1 = f1_score(labels, predicted, average="macro")
    print(f"accuracy {accuracy:.3f}, macro F1 {f1:.3f} on {len(labels)} rows")

    report = {"metrics": {"accuracy": {"value": accuracy}, "f1": {"value": f1}}, "rows": len(labels)}
    folder = BASE / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
