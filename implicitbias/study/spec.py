"""The study file: TOML in, a typed `Study` out (study.keys), or one InputError with every mistake and where it is."""

import copy
import os
import re
import tomllib
from pathlib import Path

from pydantic import ValidationError

from implicitbias.errors import InputError, one_of
from implicitbias.study.keys import DISCRETE, LONGEST_RANGE, Claim, Figure, Grid, Study, spaced_mistakes

MOST_BYTES = 2**20  # of a study file; those of this package have a few thousand
DEEPEST = 20  # tables and lists inside each other; the deepest a study can mean is 5
# tomllib takes the square of the number of parts of a dotted key: a megabyte of "a.a.a" would take hours.
_ENDLESS_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){100}""")


def read_study(path: str | Path, settings: list[str] = (), base: Path | None = None) -> tuple[Study, str]:
    """Read and validate a study file; `settings` are "key=value" overrides, `base` as in `read_content`. Returns the
    study and its TOML text.

    Errors: ``InputError`` with every mistake: no such file, not TOML, unknown keys, wrong types.
    """
    content, text = read_content(path, settings, base=base)
    return parse_study(content, Path(path).name), text


def read_text(path: str | Path) -> str:
    """The text of a study file. Errors: ``InputError`` if there is none."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig").replace("\r\n", "\n")  # an editor's byte order mark is no part of the text
    except FileNotFoundError:
        raise InputError(f"there is no study file {path}{_instead(path)}") from None
    except (OSError, ValueError) as error:  # not UTF-8, or a null byte in the name
        words = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", None) or error
        raise InputError(f"the study file {path} cannot be read: {words}") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES} bytes, so it is no study file")
    return text


def read_content(
    path: str | Path, settings: list[str] = (), text: str | None = None, base: Path | None = None
) -> tuple[dict, str]:
    """A study file as plain TOML tables with the settings applied, not yet validated, and its text, if that is not
    given. Paths of data files are relative to `base`, by default the folder of the study file."""
    path = Path(path)
    text = read_text(path) if text is None else text
    if _ENDLESS_KEY.search(text):
        raise InputError(f"{path} is not valid TOML: a key of more than 100 parts")
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{path} is not a study: lists or tables more than {DEEPEST} deep") from None
    except ValueError as error:  # not TOML, or an integer of more digits than Python reads
        raise InputError(f"{path} is not valid TOML: {error}") from None
    check_values(content, path.name)
    for name in ("grid", "claim", "figure"):
        if isinstance(content.get(name), dict):  # one table is a list of one
            content[name] = [content[name]]
    content = override(content, settings)
    _place_files(content, *((path.parent, False) if base is None else (base, True)))
    check_values(content, "--set")
    return content, text


def _place_files(content: dict, base: Path, moved: bool) -> None:
    """Paths of data files as seen from here; one that is only there as seen from the working directory stays, and of a
    study in a results folder, which may have moved, one that is there at all."""
    tables = content.get("data")
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict) and table.get("kind", name) == "file":
            given = table.get("path")
            found = (
                [_placed(item, base, moved) for item in given]
                if isinstance(given, list)
                else _placed(given, base, moved)
            )
            table |= {} if given is None else {"path": found}


def _placed(path, base: Path, moved: bool):
    """A path beside the study, as short as it is from here: the whole of it if it leads out of here or nowhere."""
    if not isinstance(path, str) or "\0" in path or os.path.isabs(path) or (moved and os.path.exists(path)):
        return path
    beside = os.path.abspath(base / path)
    if not os.path.exists(beside):
        return path if os.path.exists(path) else beside
    near = os.path.relpath(beside)
    return beside if near.startswith("..") else near


def check_values(content: dict, where: str) -> None:
    """Refuse what tomllib reads and no study can mean, before anything is copied, expanded or printed.

    TOML has integers of 64 bits, and those of Python, which have no end, overflow in every place that makes a float.
    """
    mistakes, stack = [], [((), content)]
    while stack:
        place, value = stack.pop()
        name = ".".join(map(str, place))
        if len(place) > DEEPEST:
            raise InputError(f"{where}: {name} is more than {DEEPEST} lists or tables deep")
        if isinstance(value, dict):
            stack += [((*place, key), item) for key, item in value.items()]
            low, high = value.get("from"), value.get("to")
            if type(low) is type(high) is int and len(value) == 2 and high - low >= LONGEST_RANGE and _fits(low, high):
                mistakes.append(f"{where}: {name} is a range from {low} to {high}; the longest has {LONGEST_RANGE}")
            mistakes += [f"{where}: {name}{words}" for words in spaced_mistakes(value)]
        elif isinstance(value, list):
            stack += [((*place, k), item) for k, item in enumerate(value) if isinstance(item, (dict, list, int))]
        elif isinstance(value, int) and not _fits(value):
            mistakes.append(f"{where}: {name} must be an integer of 64 bits, between -2^63 and 2^63 - 1")
    if mistakes:
        raise InputError(mistakes[::-1])  # the stack gave the last first


def _fits(*values: int) -> bool:
    return all(-(2**63) <= value < 2**63 for value in values)


def override(content: dict, settings: list[str]) -> dict:
    """Apply "key=value" settings such as "grid.steps=1000" or "data.gaussian.n=20"; in a list of tables, to each."""
    content = copy.deepcopy(content)
    mistakes = []
    for setting in settings:
        if any("\ud800" <= letter <= "\udfff" for letter in setting):  # bytes of the command line that are no text
            mistakes.append(f"--set {setting} is not UTF-8")
            continue
        key, equals, value = setting.partition("=")
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):
            parsed = value.strip()  # an unquoted word is a string
        *tables, last = (part.strip() for part in key.split("."))
        if not equals or not last:
            mistakes.append(f"--set takes key=value, such as grid.steps=1000, not {setting!r}")
            continue
        places: list = [content]
        for depth, table in enumerate(tables):
            inside = [_inside(place, table) for place in places]
            places = [item for found in inside for item in found]
            if not places or not all(isinstance(place, (dict, list)) for place in places):
                mistakes.append(f"--set {setting}: the study has no table {'.'.join(tables[: depth + 1])!r}")
                break
        else:
            found = [item for place in places for item in (place if isinstance(place, list) else [place])]
            for place in _takers(found, last) if tables[:1] == ["grid"] else found:
                place[last] = parsed
    if mistakes:
        raise InputError(mistakes)
    return content


def _inside(place, part: str) -> list:
    """What is under a part of a key: in a list of tables that of each, or the table of that number."""
    if isinstance(place, dict):
        return [place[part]] if part in place else [None]
    if part.isdigit():
        return [place[int(part)]] if int(part) < len(place) else [None]
    return [item.get(part) if isinstance(item, dict) else None for item in place]


def _takers(grids: list[dict], name: str) -> list[dict]:
    """The grids that a key is for: those of flows have a time, and others have steps, batches and so on."""
    if name == "time":
        return [grid for grid in grids if "time" in grid] or grids
    if name in DISCRETE:
        return [grid for grid in grids if "time" not in grid] or grids
    return grids


def parse_study(content: dict, where: str = "study") -> Study:
    """A Study from parsed TOML. Errors: ``InputError`` with every mistake and its place."""
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        places: dict[tuple, list] = {}  # pydantic complains once for every member of a union
        for item in error.errors():
            # and adds that member to the place ("grid.0.batch.1.int"); the file has no such key
            place = tuple(str(part) for part in item["loc"] if part not in ("int", "str", "float"))
            places.setdefault(place, []).append(item)
        raise InputError(f"{where}: {_sentence(*pair)}" for pair in places.items()) from None


def parse_figure(content: dict) -> Figure:
    """A Figure from its keys. Errors: ``InputError`` with every mistake."""
    try:
        return Figure.model_validate(content)
    except ValidationError as error:
        raise InputError(_sentence(tuple(map(str, item["loc"])), [item]) for item in error.errors()) from None


_TABLES = {"grid": Grid, "claim": Claim, "figure": Figure}


def _sentence(place: tuple[str, ...], items: list[dict]) -> str:
    """What pydantic says about a place as a sentence that names the place and the right thing."""
    path, item = ".".join(place), items[0]
    if item["type"] == "extra_forbidden":
        model = _TABLES.get(place[0], Study) if len(place) > 1 else Study
        return f"{path}: {one_of(place[-1], 'key', model.model_fields)}"
    if item["type"] == "missing":
        return f"{path} is missing"
    if item["type"] == "too_short":
        return f"{path} is empty; a study needs at least one {place[-1]}"
    expected = [found["msg"].removeprefix("Input should be ") for found in items if "Input should be" in found["msg"]]
    if expected:
        dots = isinstance(item["input"], str) and re.fullmatch(r"(-?\d+)\.\.(-?\d+)", item["input"])
        hint = f"; a range is {{ from = {dots[1]}, to = {dots[2]} }}" if dots else ""
        return f"{path} must be {' or '.join(dict.fromkeys(expected))}, not {item['input']!r}{hint}"
    return f"{path}: {item['msg'].removeprefix('Value error, ')}"


def _instead(path: Path) -> str:
    """Where a study of that name is."""
    from implicitbias.study.shipped import shipped

    if path.suffix != ".toml" and (near := path.with_name(f"{path.name}.toml")).is_file():
        return f"; did you mean {near}?"
    name = path.stem if path.suffix == ".toml" else path.name
    return f"; `implicitbias copy {name}` writes the one that comes with the package" if name in shipped() else ""


def study_files(folder: str | Path) -> list[Path]:
    """The study files of a folder, by name. Errors: ``InputError`` if there is no such folder."""
    if not Path(folder).is_dir():
        raise InputError(f"{folder} is no folder of study files")
    return sorted(Path(folder).glob("*.toml"))
