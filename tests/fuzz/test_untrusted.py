"""Studies and data files are data: nothing in them is run, shown as markup, or written outside the results folder."""

import base64
import contextlib
import html.parser
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from fuzz.grammar import _text

from implicitbias import cli
from implicitbias.errors import InputError
from implicitbias.geometry import from_file
from implicitbias.report import write_report
from implicitbias.study.plan import plan
from implicitbias.sweep.places import default_folder
from implicitbias.sweep.run import run_study

# Each would do or show something if any layer took it for more than letters.
EVIL = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\" onload='x' {{ 7*7 }}{% if 1 %}&lt;"
    " %s {0.__class__} $\\frac{1}$ [red]R[/red] [link=http://x]L[/link] :warning: \x1b[31m\x07\x9b2J\r\u202e\\"
)


def evil_study(data="kind = 'gaussian'\nn = 3\nd = 4"):
    name = _text(EVIL)
    return f"""
title = {name}
question = {name}
sources = [{name}]
[data.{name}]
{data}
[optimizer.{name}]
kind = "sgd"
lr = [0.1, 0.2]
[[grid]]
batch = [1, 2]
steps = 20
[[claim]]
says = {name}
source = {name}
measure = "cos_l2"
where = {{ data = {name}, message = {name} }}
at_least = 0
[[claim]]
says = {name}
source = {name}
measure = "norm_l2"
where = {{ optimizer = {name} }}
against = "step"
octaves = 2
at_least = 0
"""


class Elements(html.parser.HTMLParser):
    """The elements and attributes that a browser would see."""

    def __init__(self, text):
        super().__init__()
        self.found, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found += [(tag, name, value) for name, value in attrs] or [(tag, None, None)]

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evil")
    path = folder / "evil.toml"
    path.write_text(evil_study(), newline="")
    run_study(path, folder / "out", jobs=1)
    write_report(folder / "out")
    return folder / "out"


ACTIVE = {"script", "iframe", "object", "embed", "form", "link", "base", "foreignobject", "svg", "use"}


def test_the_report_shows_everything_as_text(results):
    report = write_report(results)
    claims = sorted((results / "claims").glob("*.html"))
    assert claims
    known = re.compile(
        r"#[\w-]+|(figures|tables|claims)/[\w.-]+|(runs|curves)\.parquet|https://arxiv\.org/abs/[\d.v]+|"
        r"\.\./(\.\./index\.html|report\.html#claim-\d+|tables/claim_\d+\.csv)|\d+\.html"
    )
    for page in (report, *claims):
        elements = Elements(page.read_bytes().decode())
        assert not {tag for tag, _, _ in elements.found} & ACTIVE
        assert not [name for _, name, _ in elements.found if name and name.lower().startswith("on")]
        links = [value for tag, name, value in elements.found if (tag, name) == ("a", "href")]
        assert links and all(known.fullmatch(link) for link in links)
        sources = [value for tag, name, value in elements.found if (tag, name) == ("img", "src")]
        assert sources or page != report
        assert all(re.match(r"data:image/(svg\+xml|png);base64,", value) for value in sources)
    shown = "".join(Elements(report.read_bytes().decode()).text)
    assert "{{ 7*7 }}{% if 1 %}&lt; %s {0.__class__}" in shown
    assert "<script>alert(1)</script>" in shown


def test_the_drawings_hold_no_active_content(results):
    page = write_report(results).read_text(encoding="utf-8")
    drawings = [base64.b64decode(data).decode() for data in re.findall(r"image/svg\+xml;base64,([^\"]*)", page)]
    assert drawings
    for svg in [*drawings, *(file.read_text() for file in (results / "figures").glob("*.svg"))]:
        elements = Elements(svg)
        assert not {tag for tag, _, _ in elements.found} & (ACTIVE - {"svg", "use"} | {"a", "image", "animate", "set"})
        for _, name, value in elements.found:
            assert not (name or "").startswith("on")
            assert name not in ("href", "xlink:href") or value.startswith("#")


@pytest.mark.parametrize("command", ["run", "show", "check", "status", "report"])
def test_the_terminal_shows_everything_as_text(results, command, monkeypatch, capsys):
    study = results.parent / "evil.toml"
    arguments = {"run": [study, "--out", results, "--jobs", "1"], "show": [study]}.get(command, [results])
    code, out, err = call(monkeypatch, capsys, command, *arguments)
    assert code in (0, 1)
    assert_inert(out + err)
    if command == "show":
        unfolded = out.replace("\n", "")
        for literal in (
            "[red]R[/red]",
            "[link=http://x]L[/link]",
            ":warning:",
            "\\x1b[31m",
            "\\x07",
            "{{ 7*7 }}",
            "%s",
        ):
            assert literal in unfolded


def test_mistakes_show_everything_as_text(tmp_path, monkeypatch, capsys):
    path = tmp_path / "study.toml"
    path.write_text(evil_study().replace("'gaussian'", _text(EVIL)).replace("steps =", _text(EVIL) + " ="), newline="")
    code, out, err = call(monkeypatch, capsys, "show", path)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == err.count("error: ") > 1
    assert_inert(err)


def test_names_in_a_data_file_are_text(tmp_path, monkeypatch, capsys):
    name = EVIL.replace('"', "").replace("\r", "").replace(",", "")
    path = tmp_path / "[red]<b>{{ 7*7 }}.csv"
    path.write_text(f"{name},z,label\n1,2,{name}\nx,4,b\n", encoding="utf-8")
    code, _, err = call(monkeypatch, capsys, "margins", path)
    assert code == 2 and "holds 'x', which is no number" in err
    assert_inert(err)
    path.write_text(f"{name},z,label\n1,2,{name}\n3,4,b\n", encoding="utf-8")
    code, out, err = call(monkeypatch, capsys, "margins", path)
    assert code in (0, 2)
    assert_inert(out + err)
    assert code == 2 or "[red]<b>{{ 7*7 }}" in out


def assert_inert(text):
    assert all(c.isprintable() or c == "\n" for c in text), repr(text)


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["implicitbias", *map(str, arguments)])
    code = 0
    try:
        cli.main()
    except SystemExit as end:
        code = end.code or 0
    return code, *capsys.readouterr()


@pytest.mark.parametrize(
    "text", ["__import__('os')", "cos_l2 - __import__('os')", "cos_l2.__class__", "@x", "{cos_l2}", "cos_l2 > 0", "`a`"]
)
def test_measures_and_filters_are_names_and_not_programs(tmp_path, text):
    path = tmp_path / "study.toml"
    claim = '[[claim]]\nsays = "a"\nsource = "b"\nat_least = 0\n'
    for line in (
        f'measure = "{text}"',
        f'measure = "cos_l2"\nwhere = {{ "{text}" = 1 }}',
        f'measure = "step"\nacross = "{text}"',
    ):
        path.write_text(evil_study().split("[[claim]]")[0] + claim + line + "\n", newline="")
        with pytest.raises(InputError):
            plan(path)


# -- where a study may write ------------------------------------------------------------------------------------------


def listing(folder: Path) -> set:
    return {(str(path), path.read_bytes() if path.is_file() else b"") for path in folder.rglob("*")}


NAMES = ["../../x", "/tmp/absolute-of-a-study", "a\0b", "n" * 5000, "..", "C:\\x", "~"]


def test_a_name_in_a_study_is_no_path(tmp_path, monkeypatch):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    sets = "".join(
        f'[data.{_text(name)}]\nkind = "gaussian"\nn = 2\nd = 3\nseed = {k}\n' for k, name in enumerate(NAMES)
    )
    rules = "".join(f'[optimizer.{_text(name)}]\nkind = "sgd"\nlr = 0.{k + 1}\n' for k, name in enumerate(NAMES))
    path = inside / "study.toml"
    path.write_text(f'title = "t"\n{sets}{rules}[[grid]]\nsteps = 3\n')
    assert run_study(path, "out", jobs=1).computed == len(NAMES) ** 2
    write_report("out")
    assert {item.name for item in inside.iterdir()} == {"study.toml", "out"}
    assert [item.name for item in tmp_path.iterdir()] == ["a"]
    assert [item.name for item in (tmp_path / "a").iterdir()] == ["b"]
    assert not Path("/tmp/absolute-of-a-study").exists()


def test_the_folder_of_a_study_is_named_below_results():
    assert default_folder("../../a/b.toml") == Path("results/b")
    for name in ("...toml", "/", ".."):  # results/.. would be the working directory
        if Path(name).stem in ("", ".", ".."):
            with pytest.raises(InputError, match="choose one with --out"):
                default_folder(name)
    for name in ("..toml", "....toml", ".toml", "a/../b.toml"):
        with contextlib.suppress(InputError):
            assert default_folder(name).resolve().parent == Path("results").resolve()


def good_study(data=""):
    return 'title = "t"\n[data.x]\nkind = "file"\n' + data + "[optimizer.sgd]\nlr = 0.1\n[[grid]]\nsteps = 5\n"


def test_a_study_does_not_write_over_its_own_data(tmp_path):
    out = tmp_path / "out"
    for place in ("parts", "figures"):
        (out / place).mkdir(parents=True)
        data = out / place / "figure-1.csv"
        data.write_text("1,2,a\n3,1,b\n")
        path = tmp_path / "study.toml"
        path.write_text(good_study(f"path = {_text(str(data))}\n"))
        with pytest.raises(InputError, match="lies in the results folder"):
            run_study(path, out, jobs=1)
        assert data.read_text() == "1,2,a\n3,1,b\n"


def test_a_study_leaves_its_data_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("mine.npz", X=rng.normal(size=(3, 5)), y=[0, 1, 1])
    before = Path("mine.npz").read_bytes()
    Path("study.toml").write_text(good_study('path = "mine.npz"\n'))
    run_study("study.toml", "out", jobs=1)
    write_report("out")
    assert Path("mine.npz").read_bytes() == before
    assert from_file("mine.npz").n == 3


@pytest.mark.parametrize("place", ["parts", "figures", "tables"])
def test_a_link_to_a_folder_does_not_lead_outside(tmp_path, place):
    path, out, other = tmp_path / "study.toml", tmp_path / "out", tmp_path / "other"
    other.mkdir()
    (other / "figure-1.svg").write_text("mine")
    before = listing(other)
    path.write_text(evil_study(), newline="")
    run_study(path, out, jobs=1)
    write_report(out)
    for file in (out / place).iterdir() if (out / place).is_dir() else ():
        file.unlink()
    if (out / place).is_dir():
        (out / place).rmdir()
    (out / place).symlink_to(other)
    with pytest.raises(InputError, match="is a link"):
        run_study(path, out, jobs=1) if place == "parts" else write_report(out)
    assert listing(other) == before


def test_a_link_to_a_file_is_replaced_and_not_followed(tmp_path):
    path, out, other = tmp_path / "study.toml", tmp_path / "out", tmp_path / "other"
    path.write_text(evil_study(), newline="")
    run_study(path, out, jobs=1)
    write_report(out)
    other.write_text("mine")
    for name in ("report.html", "tables/results.csv"):
        (out / name).unlink(missing_ok=True)
        (out / name).symlink_to(other)
    write_report(out)
    assert other.read_text() == "mine"
    assert not (out / "report.html").is_symlink()


def test_the_report_deletes_its_own_figures_alone(results):
    for name in ("figure-99.svg", "figure-mine.csv", "figure-2.svg.bak", "mine.svg"):
        (results / "figures" / name).write_text("x")
    write_report(results)
    left = {file.name for file in (results / "figures").iterdir()}
    assert "figure-99.svg" not in left and {"figure-mine.csv", "figure-2.svg.bak", "mine.svg"} <= left


def test_a_report_that_cannot_be_written_is_a_sentence(tmp_path):
    path, out = tmp_path / "study.toml", tmp_path / "out"
    path.write_text(evil_study(), newline="")
    run_study(path, out, jobs=1)
    (out / "figures").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_report(out)
