"""Split the wine data set into a train and a test file: CSV with a header, the label in the first column."""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

OUTPUT = Path("/opt/ml/processing")


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--test-share", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def write(name, labels, features, columns):
    folder = OUTPUT / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    table = np.column_stack([labels, features])
    np.savetxt(path, table, delimiter=",", fmt="%.6g", header=",".join(columns), comments="")
    print(f"{path}: {len(table)} rows")


def main():
    arguments = parse_arguments()
    wine = load_wine()
    train_x, test_x, train_y, test_y = train_test_split(
        wine.data,
        wine.target,
        test_size=arguments.test_share,
        random_state=arguments.seed,
        stratify=wine.target,
    )
    columns = ["label", *wine.feature_names]
    write("train", train_y, train_x, columns)
    write("test", test_y, test_x, columns)


if __name__ == "__main__":
    main()
