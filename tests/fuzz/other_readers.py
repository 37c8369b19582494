"""Data files as other programs read them: the csv module, pandas, scikit-learn; none of the package's readers."""

import csv
import io
import re

import numpy as np
import pandas as pd
import scipy.sparse

LABELS = ("label", "labels", "target", "class", "y")


def read_csv(data: bytes, delimiter: str) -> tuple[np.ndarray, list[str]]:
    """Features and labels (the column called so, or the last) of delimited text; a first line of names is left out."""
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    text = "".join(line for line in io.StringIO(text, newline="") if not line.lstrip().startswith("#"))
    if delimiter == " ":
        lines = [re.split(r" +(?=\S)|\s+$", line.strip()) for line in io.StringIO(text, newline="")]
        lines = [[cell.strip('"') for cell in line] for line in lines]
    else:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True))
    lines = [[cell.strip() for cell in line] for line in lines if len(line) > 1 or any(map(str.strip, line))]
    names = lines.pop(0) if header(lines) else [""] * len(lines[0])
    label = [k for k, name in enumerate(names) if name.lower() in LABELS]
    kept = [k for k, name in enumerate(names) if name or any(line[k] for line in lines)]
    label = label[0] if label else kept[-1]
    return np.array([[float(line[k]) for k in kept if k != label] for line in lines]), [line[label] for line in lines]


def header(lines: list[list[str]]) -> bool:
    """No cell is a number; or the first line has the numbers of columns, and a name over labels."""
    first, rest = lines[0], lines[1:]
    if not any(map(number, first)):
        return any(first)
    numbers = [float(cell) for cell in first if number(cell)]
    texts = [k for k, cell in enumerate(first) if not number(cell) and cell]
    return numbers == list(range(len(numbers))) and any(
        all(number(line[k]) for line in rest) or first[k].lower() in LABELS for k in texts
    )


def number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell


def read_libsvm(data: bytes) -> tuple[np.ndarray, list[float]]:
    from sklearn.datasets import load_svmlight_file

    X, y = load_svmlight_file(io.BytesIO(data), zero_based="auto")
    return X.toarray(), y.tolist()


def read_npz(data: bytes) -> tuple[np.ndarray, list]:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        X = archive["X"] if "X" in archive else scipy.sparse.load_npz(io.BytesIO(data)).toarray()
        return X.astype(float), archive["y"].tolist()


def read_parquet(data: bytes) -> tuple[np.ndarray, list]:
    frame = pd.read_parquet(io.BytesIO(data))
    last = next((name for name in frame if name in LABELS), frame.columns[-1])
    return frame.drop(columns=last).astype(float).to_numpy(), frame[last].tolist()


def signs(labels: list) -> np.ndarray:
    """+1 for the larger number or the last text, or + beside -; -1 for the other."""
    texts = [
        {True: "1", False: "0"}.get(label, str(label)) if isinstance(label, bool) else str(label) for label in labels
    ]
    keys = [float(text) for text in texts] if all(map(number, texts)) else texts
    assert len(set(keys)) == 2
    return np.where([key == max(keys) for key in keys], 1.0, -1.0)
