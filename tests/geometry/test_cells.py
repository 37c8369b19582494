"""What a cell of a table of text is: a number, a label, a missing value, a part of a header; or refused."""

import pytest

EXPECTED = [[-1.0, -2.0], [3.0, 4.5]]
MISSING = "a missing value: fill it in, or leave out its row, or its column with drop ="
TWO = "x1,x2,label\n1,2,{}\n3,4.5,{}\n"


@pytest.mark.parametrize(
    "low, high",
    [
        ("0", "1"), ("-1", "1"), ("1.0", "2"), ("0.0", "1.0"), ("False", "True"), ("no", "yes"), ("-", "+"),
        ("class one", "class two"), ("negative", "positive"), ("9", "10"), ("b", "éa"), ("none", "some"),
    ],
)  # fmt: skip
def test_the_larger_number_or_the_last_text_is_positive(read, low, high):
    assert read(TWO.format(low, high)).rows.tolist() == EXPECTED
    assert read(TWO.format(high, low)).rows.tolist() == [[1.0, 2.0], [-3.0, -4.5]]
    assert read(TWO.format(low, high), positive=low).rows.tolist() == [[1.0, 2.0], [-3.0, -4.5]]


@pytest.mark.parametrize("word", ["", "NA", "nan", "?", "NULL", "N/A", "None", "#N/A", "-"])
def test_missing_values(said, word):
    assert said(f"x1,x2,label\n1,2,0\n3,{word},1\n") == [
        f"line 3, column 'x2' holds {word!r}, {MISSING} 'x2'",
    ]
    reason = f": {word!r} stands for a missing value" if word else ""
    assert said(TWO.format(0, word)) == [f"line 3 has no label{reason}"]


@pytest.mark.parametrize("cell", ["1e5", "+1", ".5", "5.", "-0.0", "1E-3", "  7 ", "0100"])
def test_numbers(read, cell):
    assert read(f"x1,x2,label\n1,2,0\n3,{cell},1\n").rows[1, 1] == float(cell)


@pytest.mark.parametrize(
    "cell", ["1_000", "0x10", "1'000", "1 000", "5%", "$5", "1d5", "１", "1.2.3", "one", '"1,234"']
)
def test_what_is_no_number(said, cell):
    text = cell.strip('"')
    hint = " (decimal = ',' reads a comma as the decimal point; thousands are written without a separator)"
    [sentence] = said(f"x1,x2,label\n1,2,0\n3,{cell},1\n")
    assert sentence == f"line 3, column 'x2' holds {text!r}, which is no number{hint * (',' in text)}"


def test_decimal_commas_are_not_guessed(said):
    sentences = said("x1;x2;label\n1,5;2,5;0\n3,5;4,5;1\n")
    assert all("and no number (decimal = ',' reads" in sentence for sentence in sentences) and len(sentences) == 2
    assert said("x1;x2;label\n1,5;2,5;0\n3,5;4.5;1\n", decimal=",") == [
        "line 3, column 'x2' holds '4.5', which is no number"
    ]


def test_text_columns_are_named_once(said, read):
    text = "color,x,label\nred,1,a\nblue,2,b\n"
    assert said(text) == ["column 'color' holds 'red', 'blue' and no number; drop = 'color' leaves it out"]
    assert read(text, drop="color").rows.tolist() == [[-1.0], [2.0]]
    assert said("x,z,label\n,1,a\nNA,2,b\n") == ["column 'x' holds missing values only; drop = 'x' leaves it out"]


@pytest.mark.parametrize(
    "text, notes",
    [
        ('"height, cm";"weight, kg";label\n1;2;a\n3;4.5;b\n', "semicolons between cells; line 1 is the header"),
        ('"height; cm",weight,label\n1,2,a\n3,4.5,b\n', "line 1 is the header"),
        ('x, "z", label\n1, "2", a\n3, 4.5, b\n', "line 1 is the header"),
        ("1|2|a\n3|4.5|b\n", "bars between cells; no header"),
        (" 1   2 a \n  3 4.5 b\n", "spaces between cells; no header"),
        ("1,2,a;b\n3,4.5,c;d\n", "no header"),
        ("1,2,New York\n3,4.5,Rome\n", "no header"),
        ("# made by hand\n1,2,a\n# really\n3,4.5,b\n", "no header; 2 comment lines left out"),
        ("\n\n1,2,a\r\n\r\n3,4.5,b\r\n", "no header"),
        ("1,2,a\r3,4.5,b\r", "no header"),
        ("x,z,label,\n1,2,a,\n3,4.5,b,\n", "line 1 is the header; column [3] is empty"),
        ("1,2,a,\n3,4.5,b,\n", "no header; column [3] is empty"),
        ("0,1,label\n1,2,a\n3,4.5,b\n", "line 1 is the header"),
        ("\ufeffx,z,label\n1,2,a\n3,4.5,b\n", "line 1 is the header"),
        ("x,z,label\n1,2,a\n3,4.5,b\n".encode("utf-16"), "UTF-16; line 1 is the header"),
        ("1,2,a\n3,4.5,b\n", "no header"),
    ],
)
def test_how_a_text_was_understood(read, text, notes):
    for name in ("a.csv", "a.tsv", "a.data", "a.txt"):
        problem = read(text, name)
        assert problem.rows.tolist() == EXPECTED and problem.reading[0].endswith(notes)
