"""Study files explained: `help`, `new` and `columns`, and the entries of `list`."""

import inspect
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from implicitbias import exits
from implicitbias.errors import InputError, one_of

TOPICS = ("study", "schema", "exits")


def help_(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="study, schema or exits.")] = "study",
    markdown: Annotated[bool, typer.Option("--markdown", help="The page about study files as Markdown.")] = False,
) -> None:
    """Every key of a study file with its type, default, unit and an example (study); the same as a JSON schema for
    editors (schema); what exit codes mean (exits)."""
    from implicitbias.study import reference

    if topic not in TOPICS:
        raise InputError(one_of(topic, "topic", TOPICS))
    if topic == "exits":
        print("\n".join(f"{code}  {meaning}" for code, meaning in exits.MEANINGS.items()))
    elif topic == "schema":
        print(json.dumps(reference.json_schema(), indent=1))
    else:
        print(reference.markdown() if markdown else reference.page())


def new(path: Annotated[Path, typer.Argument(metavar="FILE", help="The study file to write.")]) -> None:
    """Write a commented study file to begin with. It runs as it is."""
    from implicitbias.study.reference import template

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError:
        raise InputError(f"{path} is there already; choose another name") from None
    print(f"{path}: run it with `implicitbias run {path}`; `implicitbias help study` explains every key")


def copy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A study that comes with the package, see `list`.")],
    path: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to; default its own name, here.")] = None,
) -> None:
    """Copy a study that comes with the package, with the data files it reads, to change and run it."""
    from implicitbias.study.shipped import shipped

    known = shipped()
    if name.removesuffix(".toml") in known:
        name = name.removesuffix(".toml")
    if name not in known:
        raise InputError(one_of(name, "study", known))
    source = known[name]
    path = path or Path(source.name)
    path = path / source.name if path.is_dir() else path
    text = source.read_text(encoding="utf-8")
    # a study finds its data beside it
    pairs = {path: source} | {
        path.parent / x.name: x for key, x in known.items() if key in text and x.suffix != ".toml"
    }
    taken = [target for target in pairs if target.exists()]
    if taken:
        raise InputError(f"{target} is there already; choose another name" for target in taken)
    for target, file in pairs.items():
        target.write_bytes(file.read_bytes())
    print(f"{', '.join(map(str, pairs))}" + (f": run it with `implicitbias run {path}`" * (path.suffix == ".toml")))


def columns(
    pattern: Annotated[str, typer.Argument(metavar="NAME", help='A name, or some with "*", such as "inc_*".')] = "*",
) -> None:
    """What the columns of the tables are: table, type, unit and meaning."""
    from implicitbias import terminal
    from implicitbias.store.schema import columns

    found = columns(pattern)
    if found.empty:
        raise InputError(one_of(pattern, "column", columns()["name"]))
    terminal.print_columns(found)


def entry(name: str) -> str | None:
    """A data family, an optimizer or a flow in words: its parameters, then its text; None if there is none."""
    from implicitbias.flows import KINDS
    from implicitbias.geometry import FAMILIES

    found = FAMILIES.get(name) or KINDS.get(name)
    if found is None:
        return None
    signature = inspect.signature(found).replace(return_annotation=inspect.Signature.empty)
    return "\n".join([f"{name}{signature}", "", inspect.getdoc(found) or "(no text: Python runs without docstrings)"])


def print_entry(name: str) -> bool:
    """Print an entry of the lists; whether there is one of that name."""
    words = entry(name)
    if words is not None:
        sys.stdout.write(words + "\n")
    return words is not None
