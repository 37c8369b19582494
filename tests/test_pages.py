"""README and pages: what they say works as written, what they link is there, and tables are those of their sources."""

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import readme

from implicitbias import cli
from implicitbias.catalogue.table import FILE, OUTCOMES, PAGE, as_page
from implicitbias.study.spec import read_study

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "results").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_the_tables_of_claims_are_their_csv():
    with open(ROOT / "results" / FILE, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (ROOT / "results" / PAGE).read_text(encoding="utf-8") == as_page(rows)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.written(text) == readme.expected(), "python tests/readme.py writes it"


def test_every_claim_of_a_study_is_in_the_table_with_its_words():
    with open(ROOT / "results" / FILE, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    said = [(row["study"], row["says"], row["source"], row["standing"], row["remark"]) for row in rows]
    asked = [
        (path.stem, claim.says, claim.source, claim.standing, claim.remark)
        for path in sorted((ROOT / "studies").glob("*.toml")) for claim in read_study(path)[0].claim
    ]  # fmt: skip
    assert said == asked
    assert {row["verdict"] for row in rows} <= set(OUTCOMES)
    assert all(row["measured"] for row in rows)


def test_the_five_minutes_work_as_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("## Five minutes")[1].split("```")[1]
    commands = [shlex.split(line, comments=True) for line in text.splitlines() if line.startswith("implicitbias ")]
    assert len(commands) >= 10
    for command in commands:
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code, (command, capsys.readouterr().err)
    made = ["my.toml", "results/my/report.html", "fig.pdf", "results/index.html", "u.csv"]
    assert all((tmp_path / name).stat().st_size > 0 for name in made)


def test_the_python_of_the_readme_works_as_written(tmp_path):
    """But for the main study, which has its own tests: a small one stands in its place."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = "".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    small = """
        title = "t"
        data.gaussian = { n = 4, d = 6 }
        optimizer.adam.lr = 0.1
        grid = { batch = [1, "n"], steps = 100 }
    """
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "batch_size.toml").write_text(small)
    (tmp_path / "readme.py").write_text(code, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "readme.py"], cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert "Run(" in done.stdout and "Check(name='alone', outcome='kept')" in done.stdout
