"""The study file explained: help, page, schema and template say what the keys are, and cannot part from them."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from implicitbias.flows import KINDS
from implicitbias.geometry import FAMILIES
from implicitbias.study import reference
from implicitbias.study.plan import plan
from implicitbias.study.spec import parse_study

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "studies").glob("*.toml"))


def test_every_key_is_explained_with_an_example_that_is_right():
    """An example alone in a small study is accepted by the reader."""
    small = {
        "title": "t", "data": {"gaussian": {}}, "optimizer": {"adam": {}},
        "grid": [{"steps": 1, "lr": 0.1}], "claim": [{"says": "s", "measure": "cos_l2", "at_least": 0}],
        "figure": [{"y": "cos_l2"}],
    }  # fmt: skip
    places = {"": None, "[[grid]]": "grid", "[[claim]]": "claim", "[[figure]]": "figure"}
    partners = {"equal": {"within": 0.1}, "within": {"equal": 1}, "epochs": {}, "width": {"across": "lr_eta"}}
    for table, model in reference.TABLES.items():
        for row in reference.rows(model):
            assert row["meaning"] and row["type"] and row["key"] in model.model_fields
            given = tomllib.loads(row["example"])
            if table not in places:
                continue
            content = json.loads(json.dumps(small))
            if places[table] is None:
                content |= given
            else:
                target = content[places[table]][0]
                if row["key"] in ("equal", "within", "at_most"):
                    del target["at_least"]
                target |= given | partners.get(row["key"], {})
            parse_study(content)


def test_help_says_every_key(call):
    code, out, _ = call("help", "study")
    assert code == 0
    for model in reference.TABLES.values():
        for name in model.model_fields:
            assert f"  {name}  (" in out


def test_the_page_is_that_of_the_keys():
    assert (ROOT / "results" / "study_file.md").read_text() == reference.markdown() + "\n"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_studies_fit_the_schema(path):
    jsonschema.validate(tomllib.loads(path.read_text()), reference.json_schema())


GRID = {"title": "t", "data": {"iris": {}}, "optimizer": {"sgd": {}}}


@pytest.mark.parametrize(
    "axis", [10, [10, 20], {"from": 10, "to": 12}, {"from": 10, "to": 1000, "count": 3, "log": True}]
)
def test_every_axis_fits_the_schema(axis):
    jsonschema.validate(GRID | {"grid": {"steps": axis}}, reference.json_schema())


@pytest.mark.parametrize(
    "content",
    [
        {"title": "t", "gird": []},
        {"title": 1},
        {"title": "t", "data": {"x": {"kind": "gausian"}}, "optimizer": {"sgd": {}}, "grid": {"steps": 1}},
        {"title": "t", "data": {"iris": {}}, "optimizer": {"sgd": {}}, "grid": {"steps": "many"}},
        GRID | {"grid": {"steps": {"from": 10, "to": 1000, "count": 1}}},
        GRID | {"grid": {"steps": {"from": 10, "to": 1000, "log": True}}},
    ],
)
def test_mistakes_do_not_fit_the_schema(content):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, reference.json_schema())


def test_the_template_is_a_study_and_names_every_key(call, tmp_path):
    assert call("new", "my.toml")[0] == 0
    study, text, runs = plan(tmp_path / "my.toml")
    assert len(runs) == 27 and len(study.claim) == 1 and len(study.figure) == 1
    for model in (reference.keys.Study, reference.keys.Grid, reference.keys.Claim, reference.keys.Figure):
        for name in model.model_fields:
            assert f"{name} = " in text or f"[{name}" in text
    code, _, err = call("new", "my.toml")
    assert code != 0 and err == "error: my.toml is there already; choose another name\n"


def test_entries_show_their_parameters(call):
    for name in [*FAMILIES, *KINDS]:
        code, out, err = call("list", name)
        assert (code, err) == (0, "") and out.startswith(f"{name}(")
    assert "beta2: float = 0.999" in call("list", "adam")[1]
    assert "integer >= 0" in call("list", "gaussian")[1]


def test_columns_are_explained(call):
    code, out, _ = call("columns", "inc_cos_*")
    assert code == 0 and "cosine between the increment w(t) - w(t/2) and the predicted limit of the run" in out
    code, _, err = call("columns", "cos_l2x")
    assert code != 0 and "did you mean 'cos_l2'?" in err
    code, out, _ = call("columns", "inc_ratio_l1.5")
    assert code == 0 and "l1.5 norm" in out  # as a study with norms = ["l1.5"] has it


def test_an_unknown_topic_is_refused(call):
    code, _, err = call("help", "studies")
    assert (code, err) == (2, "error: unknown topic 'studies'; did you mean 'study'?\n")
    assert call("help", "exits")[1].startswith("0 ")
    assert json.loads(call("help", "schema")[1])["title"] == "Study"
