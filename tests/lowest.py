"""The lowest versions that pyproject.toml allows, one `name==version` a line: constraints for pip.

Each requirement of the package and of its extras for tests appears once; a bound is written nowhere else, so that
what is tested and what is promised cannot differ.

    python tests/lowest.py > lowest.txt && pip install -e ".[test]" -c lowest.txt
"""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
EXTRAS = ("data", "cluster", "test")


def lowest(project: dict) -> dict[str, str]:
    """Name and lowest version of each requirement. Errors: ``ValueError`` for one without a lower bound."""
    found = {}
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *(word for extra in EXTRAS for word in extras[extra])]:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)[0]
        if name == project["name"]:
            continue
        bound = re.search(r">=\s*([0-9][0-9.]*)", requirement)
        if not bound:
            raise ValueError(f"{requirement} has no lower bound")
        found[name] = bound[1]
    return found


if __name__ == "__main__":
    for name, version in lowest(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]).items():
        print(f"{name}=={version}")
