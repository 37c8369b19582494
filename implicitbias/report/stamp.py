"""Whether a report is that of its tables: the page says of what it was made, and by which code."""

import functools
import hashlib
import re
from html import unescape
from importlib.metadata import version
from pathlib import Path

_STAMP = re.compile(rb'<meta name="made-from" content="([0-9a-f]+)">')
_LINKS = re.compile(rb'href="((?:figures|tables|claims)/[^"/#]+)"')
HEAD = 4096  # bytes of a page that have its stamp
CHUNK = 1 << 20


def stamp(folder) -> str:
    """A digest of everything that a report is made from: tables, study, code and the library that draws."""
    folder, digest = Path(folder), hashlib.blake2b(digest_size=16)
    inputs = [folder / name for name in ("study.toml", "study.json", "runs.parquet", "curves.parquet")]
    for path in [*inputs, *sorted((folder / "parts").glob("*.parquet"))]:
        digest.update(path.name.encode())
        if path.is_file():
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
    digest.update(_code().encode())
    return digest.hexdigest()


@functools.cache
def _code() -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(Path(__file__).parents[1].rglob("*")):
        if path.suffix in (".py", ".j2"):
            digest.update(path.read_bytes())
    return f"{digest.hexdigest()} {version('matplotlib')} {version('pandas')}"


def linked(folder) -> set[str]:
    """The files beside a page that it links to: figures/NAME, tables/NAME and claims/NAME."""
    try:
        page = (Path(folder) / "report.html").read_bytes()
    except OSError:
        return set()
    return {unescape(link.decode()) for link in _LINKS.findall(page)}


def is_current(folder) -> bool:
    """Whether the page of a folder, and every file that it links to, is what `write_report` would write."""
    folder = Path(folder)
    try:
        with (folder / "report.html").open("rb") as page:
            found = _STAMP.search(page.read(HEAD))
        if found is None or found[1].decode() != stamp(folder):
            return False
    except OSError:
        return False
    return all((folder / link).is_file() for link in linked(folder))
