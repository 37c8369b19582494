"""The user's own files with a class for each label, in every format."""

import io

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import implicitbias as ib

X = [[1.0, 2.0], [3.0, 4.5], [0.0, -1.0], [2.0, 0.25]]
LABELS = ["oak", "elm", "oak", "ash"]


def npz(y):
    buffer = io.BytesIO()
    np.savez(buffer, X=np.array(X), y=np.array(y))
    return buffer.getvalue()


def sparse_npz(y):
    buffer = io.BytesIO()
    scipy.sparse.save_npz(buffer, scipy.sparse.csr_matrix(X))
    archive = dict(np.load(io.BytesIO(buffer.getvalue())))
    buffer = io.BytesIO()
    np.savez(buffer, **archive, y=np.array(y))
    return buffer.getvalue()


def parquet(y):
    buffer = io.BytesIO()
    pd.DataFrame({"height": [x[0] for x in X], "width": [x[1] for x in X], "kind": y}).to_parquet(buffer)
    return buffer.getvalue()


def csv(y):
    return "height,width,kind\n" + "".join(f"{a},{b},{label}\n" for (a, b), label in zip(X, y))


def libsvm(y):
    return "".join(f"{label} 1:{a} 2:{b}\n" for (a, b), label in zip(X, y))


FORMATS = {
    "a.csv": csv, "a.tsv": lambda y: csv(y).replace(",", "\t"), "a.data": csv, "a.npz": npz, "b.npz": sparse_npz,
    "a.parquet": parquet, "a.libsvm": libsvm, "a.svm": libsvm, "a.txt": libsvm,
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("y", [LABELS, [7, 3, 7, -1], [0.5, 2.0, 0.5, 1.0]])
def test_every_format(read, name, y):
    problem = read(FORMATS[name](y), name, multiclass=True)
    names = sorted(set(y))
    assert isinstance(problem, ib.Multiclass) and problem.X.tolist() == X
    assert problem.classes == tuple(names) and problem.labels.tolist() == [names.index(label) for label in y]
    assert problem.name == name[0] and problem.params["multiclass"] is True
    shown = [repr(label) if isinstance(label, str) else f"{label:g}" for label in names]
    told = [f"{label} ({count} row{'s' * (count > 1)})" for label, count in zip(shown, problem.counts)]
    assert problem.reading[1].endswith(f"; 3 classes: {', '.join(told)}")


@pytest.mark.parametrize("y, classes", [(["b", "a"] * 2, ("a", "b")), (["+", "-"] * 2, ("-", "+")),
                                        (["True", "False"] * 2, ("False", "True"))])  # fmt: skip
def test_two_labels_are_two_classes(read, y, classes):
    problem = read(csv(y), multiclass=True)
    assert problem.classes == classes and problem.labels.tolist() == [1, 0] * 2
    binary = read(csv(y))
    assert (binary.rows == np.where(problem.labels == 1, 1, -1)[:, None] * problem.X).all()
    assert binary.digest != problem.digest and "multiclass" not in binary.params
    assert read(csv(y), multiclass=False).digest == binary.digest


def test_the_options_are_those_of_two_classes(read):
    problem = read(csv(LABELS), multiclass=True, standardize=True, intercept=True, drop="width")
    height = np.array(X)[:, 0]
    assert problem.X[:, 0] == pytest.approx((height - height.mean()) / height.std(), abs=1e-15)
    assert (problem.X[:, 1] == 1).all() and problem.feature_names == ("height", "intercept")
    plain, rotated = (read(csv(LABELS), multiclass=True, rotate=r) for r in (None, 3))
    assert pytest.approx(plain.X @ ib.geometry.rotation(2, 3), rel=1e-13) == rotated.X
    assert (rotated.classes, rotated.reading, rotated.feature_names) == (plain.classes, plain.reading, None)


def test_a_class_may_have_one_row_and_many_classes_are_told_in_short(read):
    problem = read("".join(f"{k % 7}.5,{k},c{k}\n" for k in range(1, 9)), multiclass=True, header=False)
    assert problem.counts == (1,) * 8
    told = ", ".join(f"'c{k}' (1 row)" for k in range(1, 6))
    assert problem.reading[1].endswith(f"; 8 classes: {told}, and 3 more")


def test_mistakes(said):
    one = "height,width,kind\n1,2,a\n3,4,a\n"
    chooses = "label chooses another column"
    assert said(one, multiclass=True) == [
        f"needs two labels or more, but column 'kind' holds 1: 'a' (2 rows); {chooses}"
    ]
    assert said(one) == [f"needs exactly two labels, but column 'kind' holds 1: 'a' (2 rows); {chooses}"]
    assert said(csv(LABELS)) == [
        "needs exactly two labels, but column 'kind' holds 3: 'ash' (1 row), 'elm' (1 row), 'oak' (2 rows); "
        f"{chooses}; multiclass = true makes each of them a class"
    ]
    assert said(csv(LABELS), multiclass=True, positive="oak") == [
        "positive is for two classes; with multiclass = true no label is +1"
    ]
    assert said(csv(["a", "b", "", "c"]), multiclass=True) == ["line 4 has no label"]
    assert said(csv(["a"] * 4) + "1,2\n1,one,b\nnan,1,c\n", multiclass=True)[:2] == [
        "line 6 has 2 columns, expected 3", "line 7, column 'width' holds 'one', which is no number",
    ]  # fmt: skip
    assert said("1 1:0\n2 1:1\n3 1:2\n", "a.svm", multiclass=True) == [
        "line 1 is zero, and a zero row cannot be separated"
    ]
    with pytest.raises(ib.InputError, match="multiclass must be True, False or None, but is 'many'"):
        ib.geometry.from_file("a.csv", multiclass="many")
