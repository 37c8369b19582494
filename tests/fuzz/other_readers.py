"""Data files as other programs read them: the csv module, pandas, scikit-learn; none of the package's readers."""

import csv
import io

import numpy as np
import pandas as pd


def read_csv(data: bytes) -> tuple[np.ndarray, list[str]]:
    """Features and labels (the last column) of comma-separated text; a first line of names is left out."""
    lines = [
        line for line in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")) if any(map(str.strip, line))
    ]
    lines = [[cell.strip() for cell in line] for line in lines]
    if header(lines):
        lines = lines[1:]
    return np.array([[float(cell) for cell in line[:-1]] for line in lines]), [line[-1] for line in lines]


def header(lines: list[list[str]]) -> bool:
    """No feature is a number; or the features are the numbers of columns, over labels that are numbers too."""
    first, rest = lines[0], lines[1:]
    if not any(map(number, first[:-1])):
        return any(first[:-1])
    counted = all(cell.isdecimal() for cell in first[:-1]) and len(set(map(int, first[:-1]))) == len(first) - 1
    return counted and not number(first[-1]) and bool(rest) and all(number(line[-1]) for line in rest)


def number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell


def read_libsvm(data: bytes) -> tuple[np.ndarray, list[float]]:
    from sklearn.datasets import load_svmlight_file

    X, y = load_svmlight_file(io.BytesIO(data), zero_based=False)
    return X.toarray(), y.tolist()


def read_npz(data: bytes) -> tuple[np.ndarray, list]:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return archive["X"].astype(float), archive["y"].tolist()


def read_parquet(data: bytes) -> tuple[np.ndarray, list]:
    frame = pd.read_parquet(io.BytesIO(data))
    last = "label" if "label" in frame else frame.columns[-1]
    return frame.drop(columns=last).to_numpy(float), frame[last].tolist()


def signs(labels: list) -> np.ndarray:
    """+1 for the larger number or the last text, -1 for the other."""
    texts = [
        {True: "1", False: "0"}.get(label, str(label)) if isinstance(label, bool) else str(label) for label in labels
    ]
    keys = [float(text) for text in texts] if all(map(number, texts)) else texts
    assert len(set(keys)) == 2
    return np.where([key == max(keys) for key in keys], 1.0, -1.0)
