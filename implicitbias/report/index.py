"""The front page over all results folders of a folder: what each asks, its verdicts, and its first figure."""

import csv
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from implicitbias.errors import InputError
from implicitbias.report.templates import template
from implicitbias.store.files import replacing
from implicitbias.study.expected import OUTCOMES

_FIRST = re.compile(rb'<figure id="figure-\d+">\s*<img src="(data:image/svg\+xml;base64,[A-Za-z0-9+/=]+)"')
_MEASURED = re.compile(rb"<p>(\d[^<]*? runs?[^<.]*)\.")


def write_index(folder, *, anew: bool = False, say: Callable[[str], None] = lambda line: None) -> tuple[Path, int]:
    """Write the report of every results folder in a folder, where it is not current, and folder/index.html.

    Returns the path of the page and how many studies it has. Like a report it needs no network and no JavaScript.
    Errors: ``InputError`` if there is no results folder, or one cannot be reported; each has its sentence.
    """
    from implicitbias.commands.documents import write

    folder = Path(folder)
    found = sorted(path.parent for path in folder.glob("*/study.json")) if folder.is_dir() else []
    if not found:
        raise InputError(f"{folder} holds no results folders")
    studies, mistakes = [], []
    for place in found:
        try:
            say(write(place, anew=anew))
            studies.append(_entry(place))
        except InputError as error:
            mistakes += [f"{place.name}: {mistake}" for mistake in error.mistakes]
    page = folder / "index.html"
    try:
        with replacing(page) as temporary:
            tally = sum((Counter(dict(study["verdicts"])) for study in studies), Counter())
            total = [(word, tally[word]) for word in OUTCOMES if tally[word]]
            text = template("index.html.j2").render(studies=studies, total=total, mistakes=mistakes)
            temporary.write_bytes(text.encode())
    except OSError as error:
        raise InputError(f"{page} cannot be written: {error.strerror}") from None
    if mistakes:
        raise InputError(mistakes)
    return page, len(studies)


def verdict_rows(place: Path) -> list[dict[str, str]]:
    """The verdicts that the report of a results folder has written, none without claims."""
    table = place / "tables" / "verdicts.csv"
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _entry(place: Path) -> dict:
    """What the front page says of a study, from its report."""
    from implicitbias.study.stored import stored_study

    study, _ = stored_study(place)
    page = (place / "report.html").read_bytes()
    picture = _FIRST.search(page)
    runs = _MEASURED.search(page)
    claims = verdict_rows(place)
    tally = Counter(row["outcome"] for row in claims)
    return {
        "name": place.name,
        "title": study.title,
        "question": study.question.strip(),
        "verdicts": [(word, tally[word]) for word in OUTCOMES if tally[word]],
        "claims": claims,
        "runs": runs[1].decode() if runs else "",
        "picture": picture[1].decode() if picture else "",
    }
