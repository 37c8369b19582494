"""What a run of a study has said, kept beside its report: said again at once while nothing has changed.

That is told from the files alone, without the libraries of tables and kernels, whose import would take longer.
"""

import json
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from implicitbias.report.stamp import is_current, stamp

FILE = "summary.txt"
_LIBRARIES = ("numpy", "numba", "scipy", "pandas", "pyarrow", "scikit-learn")


def remember(folder: Path, words: str) -> None:
    """Keep what was said at the end of a study whose report is current."""
    from implicitbias.store.files import write_bytes

    if is_current(folder):
        write_bytes(folder / FILE, f"{_made_from(folder)}\n{words}".encode())


def last_words(study: Path, folder: Path, settings: Sequence[str]) -> str | None:
    """What was said last time, if study, settings, tables, report, code and libraries are what they were, and no data
    are read from files, which may have changed; None if that is to be looked at."""
    try:
        mark, _, words = (folder / FILE).read_text(encoding="utf-8").partition("\n")
        identity = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        text = study.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        same = text == (folder / "study.toml").read_text(encoding="utf-8") and "base" not in identity
        same = same and identity["settings"] == list(settings) and not any((folder / "parts").glob("*"))
        return words if same and is_current(folder) and mark == _made_from(folder) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _made_from(folder: Path) -> str:
    found = [platform.python_version()]
    for name in _LIBRARIES:
        try:
            found.append(version(name))
        except PackageNotFoundError:
            found.append("-")
    return " ".join([stamp(folder), *found])
