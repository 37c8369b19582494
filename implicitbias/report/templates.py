"""The pages' templates, and the style they share. Only text goes in: all of it is escaped."""

from functools import cache

from implicitbias.figures.words import norms


@cache
def template(name: str):
    """The template of that name beside this file."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=PackageLoader("implicitbias.report", "."),
    )  # fmt: skip
    environment.filters["norms"] = norms
    return environment.get_template(name)
