"""What is said of a file that was read, and what is refused because it may mean two things."""

import gzip
import io

import numpy as np
import pandas as pd
import pytest

import implicitbias as ib
from implicitbias.geometry import from_file

EXPECTED = [[-1.0, -2.0], [3.0, 4.5]]
TWO = "x1,x2,label\n1,2,{}\n3,4.5,{}\n"


def test_a_file_is_described(read):
    problem = read("x1;x2;x3;kind\n1;2;9;bush\n3;4.5;9;tree\n", drop="x3")
    assert problem.reading == (
        "a.csv: 2 rows, 2 features ('x1', 'x2'); left out: column 'x3'; semicolons between cells; line 1 is the header",
        "label: column 'kind' (the last, as none has the name of a label); +1 is 'tree' (1 row), -1 is 'bush' (1 row)",
    )
    assert problem.feature_names == ("x1", "x2")
    assert (problem.classes.positive, problem.classes.negative, problem.classes.counts) == ("tree", "bush", (1, 1))
    problem = read("1,2,0\n3,4.5,1\n4,5,1\n", intercept=True)
    assert problem.reading == (
        "a.csv: 3 rows, 2 features; no header",
        "label: column [2] (the last, as columns have no names); +1 is 1 (2 rows), -1 is 0 (1 row)",
    )
    assert problem.feature_names == ("0", "1", "intercept")


@pytest.mark.parametrize(
    "head, label",
    [
        ("x1,x2,label", "'label' (called so)"),
        ("x1,x2,Class", "'Class' (called so)"),
        ("x1,x2,y", "'y' (called so)"),
        ("x,y,target", "'target' (called so)"),
        ("x,z,kind", "'kind' (the last"),
        ("a,x,y", "'y' (called so)"),
    ],
)
def test_the_label_in_the_last_column(read, head, label):
    problem = read(f"{head}\n1,2,0\n3,4.5,1\n")
    assert problem.rows.tolist() == EXPECTED and f"label: column {label}" in problem.reading[1]


@pytest.mark.parametrize("name", ["label", "labels", "Target", "class", "y"])
def test_the_label_in_the_first_column_of_every_format(read, name, tmp_path):
    frame = pd.DataFrame({name: [0, 1], "height": [1, 3], "smoker": [2, 4.5]})
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    npz = io.BytesIO()
    np.savez(npz, X=frame[["height", "smoker"]], **{name: [0, 1]})
    contents = {
        "a.csv": frame.to_csv(index=False),
        "a.tsv": frame.to_csv(index=False, sep="\t"),
        "a.parquet": buffer.getvalue(),
        "a.npz": npz.getvalue(),
    }
    for file, content in contents.items():
        for suffix, data in (("", content), (".gz", gzip.compress(content if file[2] in "pn" else content.encode()))):
            problem = read(data, file + suffix)
            assert problem.rows.tolist() == EXPECTED and problem.name == "a"
            assert "+1 is 1 (1 row), -1 is 0 (1 row)" in problem.reading[1] and name in problem.reading[1]


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("label,target,a\n1,2,3\n0,4,5\n", "may have its labels in 'label' or 'target'; say which with label"),
        ("y,class,a\n1,2,3\n0,4,5\n", "may have its labels in 'y' or 'class'; say which with label"),
        ("label,a,label\n1,2,3\n0,4,5\n", "may have its labels in 0 or 2; say which with label"),
        (
            "x,y,kind\n1,2,a\n3,4,b\n",
            "'y' may be the label or, beside an x, a coordinate: say label = 'y' or label = 'kind'",
        ),
        (
            "a,a,label\n1,2,3\n0,4,5\n",
            "has 2 columns called 'a'; leave out all but one with drop and their indices (0, 1)",
        ),
        (
            ",x1,label\n0,.3,0\n1,-.2,1\n",
            "column [0] has no name (and holds 0, 1): if it is an index, drop = 0 leaves it out; if not, columns "
            "= '*' keeps every column",
        ),
        (
            "Unnamed: 0,x1,label\n7,.3,0\n5,-.2,1\n",
            "column 'Unnamed: 0' has no name (and holds 7, 5): if it is an index, drop = 'Unnamed: 0' leaves it "
            "out; if not, columns = '*' keeps every column",
        ),
        (
            "x1,x2,\n1,2,0\n3,4,1\n",
            "column [2] has no name (and holds 0, 1): if it is an index, drop = 2 leaves it out; if not, label "
            "chooses it",
        ),
        (
            "id,x,label\n1,2,0\n2,4,1\n",
            "column 'id' counts the rows (1, 2, ...): if it is an index, drop = 'id' leaves it out; if not, "
            "columns = '*' keeps every column",
        ),
        (
            "0,.3,1\n1,.2,0\n2,.9,1\n3,1,0\n",
            "column [0] counts the rows (0, 1, ...): if it is an index, drop = 0 leaves it out; if not, columns "
            "= '*' keeps every column",
        ),
        ("2019,2020,label\n1,2,a\n3,4,b\n", "line 1 (2019, 2020, label) may be a header or a row; say header = true or "
                                            "header = false"),
        ("2019,2020,label\n1,2,0\n3,4,1\n", "line 1 (2019, 2020, label) may be a header or a row; say header = true or "
                                            "header = false"),
        ("0,1,2\n1,2,0\n3,4,1\n", "line 1 (0, 1, 2) may be a header or a row; say header = true or header = false"),
        ("1.5,2.5,label\n1,2,0\n3,4,1\n", "line 1 (1.5, 2.5, label) may be a header or a row; say header = true or "
                                          "header = false"),
        ("# x1 x2 label\n1 2 0\n3 4 1\n",
         "has no header, but a comment of 3 words (# x1 x2 label): remove its # if these are the names of the columns, "
         "or say header = false"),
        ("2019,2020,label\n1,2,a\n", "line 1 (2019, 2020, label) may be a header or a row; say header = true or "
                                      "header = false"),
        ("a;b,c\nd;e,f\n", "may have commas or semicolons between its cells; say which with delimiter"),
        ("1,2,a\n3,4,b\n5,6,c\n", "line 1 (1, 2, a) may be a header or a row; say header = true or header = false"),
        ("1,2,a\n3,4,b\n5,6,c\n5,7,a\n",
         "needs exactly two labels, but column [2] holds 3: 'a' (2 rows), 'b' (1 row), 'c' (1 row); label chooses "
         "another column; multiclass = true makes each of them a class"),
    ],
)  # fmt: skip
def test_what_may_mean_two_things_is_refused(said, text, sentence):
    assert said(text) == [sentence]


@pytest.mark.parametrize(
    "text, options",
    [
        (",x1,x2,label\n0,1,2,0\n1,3,4.5,1\n", {"drop": 0}),
        (",x1,x2,label\n0,1,2,0\n1,3,4.5,1\n", {"drop": [0]}),
        (",x1,x2,label\n0,1,2,0\n1,3,4.5,1\n", {"columns": ["x1", "x2"]}),
        (",x2,label\n1,2,0\n3,4.5,1\n", {"columns": "*"}),
        ("label,target,a,b\n0,9,1,2\n1,9,3,4.5\n", {"label": "label", "drop": ["target"]}),
        ("x,y,kind\n1,2,a\n3,4.5,b\n", {"label": "kind"}),
        ("b,y,a\n2,0,1\n4.5,1,3\n", {"columns": ["a", "b"]}),
        ("a,a,b,label\n1,0,2,0\n3,0,4.5,1\n", {"drop": 1}),
        ("2019,2020,label\n1,2,a\n3,4.5,b\n", {"header": True}),
        ("1,2,a\n3,4.5,b\n", {"header": False}),
        ("# x1 x2 label\n1 2 0\n3 4.5 1\n", {"header": False}),
        ("0,1,2\n1,2,0\n3,4.5,1\n", {"header": True}),
        ("1,0;2,0;a\n3;4,5;b\n", {"decimal": ","}),
        ("'1';2,0;a\n3;4,5;b\n".replace("'", '"'), {"decimal": ",", "delimiter": ";"}),
        ("1,2,a\n3,4.5,b\n", {"positive": "b", "delimiter": ","}),
        ("a\t1\t2\nb\t3\t4.5\n", {"label": 0, "delimiter": "tab"}),
        ("2019,a,2\n1,2,0\n3,4.5,1\n", {"header": True, "label": 2, "columns": [0, "a"]}),
        ("2019,a,kind\n1,2,0\n3,4.5,1\n", {"header": True, "drop": [], "label": 2}),
        ("2019,a,kind,2020\n1,2,0,9\n3,4.5,1,9\n", {"header": True, "drop": 2020, "label": "kind"}),
    ],
)
def test_the_options_decide(read, text, options):
    assert read(text, **options).rows.tolist() == EXPECTED


@pytest.mark.parametrize("text, options, sentences", [
    ("a,b,label\n1,2,0\n3,4,1\n", {"drop": ["q", 7], "columns": "z"}, [
        "unknown column 'q'; use one of 'a', 'b', 'label'", "has 3 columns, so drop must be from -3 to 2, but is 7",
        "unknown column 'z'; use one of 'a', 'b', 'label'"]),
    ("a,b,label\n1,2,0\n3,4,1\n", {"drop": "a", "columns": ["a", "b"]}, ["drop and columns name 'a' more than once"]),
    ("a,b,label\n1,2,0\n3,4,1\n", {"drop": "label", "label": "label"}, [
        "column 'label' cannot be the label and be left out by drop"]),
    ("a,b,c\n1,2,0\n3,4,1\n", {"columns": ["a", "c"]}, [
        "columns keeps 'c', the last column, which is the label unless label is given"]),
    ("a,label\n1,0\n3,1\n", {"drop": "a"}, ["needs a label and at least one feature, but drop leaves 1 column"]),
    ("a,b\n1,0\n3,1\n", {"label": "b", "drop": "a"}, ["has no features left beside the label"]),
    ("1,2,0\n3,4,1\n", {"drop": "id"}, ["drop names 'id', but there is no header; columns have indices from 0"]),
    ("1 1:2\n", {"header": True, "name": "a.svm"}, ["header does not apply to a LIBSVM file"]),
    ("1 1:2\n", {"drop": 0, "name": "a.svm"}, ["has 1 column, so drop must be from 1 to 1, but is 0"]),
])  # fmt: skip
def test_unfit_options(said, text, options, sentences):
    options = dict(options)
    assert said(text, options.pop("name", "a.csv"), **options) == sentences


def test_an_integer_that_may_be_a_name_or_an_index(read, said):
    text = "1,0,label\n2,1,0\n4.5,3,1\n"
    [sentence] = said(text, header=True, drop=1)
    assert sentence.startswith("drop = 1 may be the column called '1' or column '0', which has this index; count from")
    assert read(text, header=True, drop="1").rows.tolist() == [[-1.0], [3.0]]
    assert read(text, header=True, drop=-2).rows.tolist() == [[-2.0], [4.5]]


def test_a_first_column_that_counts_is_mentioned(read):
    problem = read("t,x,label\n1,0.2,0\n2,.9,1\n3,1,0\n4,1,0\n")
    assert (
        problem.d == 2
        and "column 't' counts the rows (1, 2, ...) (if it is an index, drop = 't' leaves" in problem.reading[0]
    )
    text = "0,.3,1\n1,.2,0\n2,.9,1\n3,1,0\n"
    assert read(text, columns=["*"]).rows.tolist() == [[0, 0.3], [-1, -0.2], [2, 0.9], [-3, -1]]
    assert read(text.replace("0,.3", "id,x,label\n0,.3", 1), columns="*").feature_names == ("id", "x")
    assert read("1,0\n2,1\n3,0\n4,1\n").d == 1  # the only feature is no index
    assert read("1,.1,0\n2,.2,1\n3,.3,0\n").d == 2  # three rows are counted by chance


def test_a_missing_file_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ib.InputError) as caught:
        from_file("data/none.csv")
    assert caught.value.mistakes == [f"data/none.csv: no such file (there is no {tmp_path / 'data' / 'none.csv'})"]


def test_options_that_were_not_given_are_not_noted(read):
    path = {"label": None, "positive": None, "standardize": False, "intercept": False}
    found = read(TWO.format(0, 1)).params
    assert {key: value for key, value in found.items() if key != "path"} == path
    found = read(TWO.format(0, 1), drop=["x1"], header=True).params
    assert {key: value for key, value in found.items() if key != "path"} == path | {"drop": ("x1",), "header": True}
