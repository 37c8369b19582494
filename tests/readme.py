"""Write the table of the README that results/claims.csv decides: `python tests/readme.py`."""

import csv
import tomllib
from pathlib import Path

from implicitbias.catalogue.table import FILE, summary

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- what the studies say -->\n", "<!-- /what the studies say -->"


def expected() -> str:
    with open(ROOT / "results" / FILE, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    titles = {path.stem: tomllib.loads(path.read_text())["title"] for path in (ROOT / "studies").glob("*.toml")}
    return f"{BEGIN}{summary(rows, titles)}\n{END}"


def written(text: str) -> str:
    """The part of the README that is that table."""
    return text[text.index(BEGIN) : text.index(END) + len(END)]


if __name__ == "__main__":
    page = ROOT / "README.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace(written(text), expected()), encoding="utf-8")
