"""Entries that are found, not listed: each file of a folder that has one is one."""

import importlib
import pkgutil
from collections.abc import Iterable
from typing import Any


def entries(package: str, path: Iterable[str], attribute: str) -> dict[str, Any]:
    """The attribute of each module of a package that has it, under its `name`, in the order of the files.

    >>> import implicitbias.measure as measure
    >>> "directions" in entries(measure.__name__, measure.__path__, "GROUP")
    True
    """
    modules = [importlib.import_module(f"{package}.{found.name}") for found in pkgutil.iter_modules(path)]
    found = [getattr(module, attribute) for module in modules if hasattr(module, attribute)]
    return {entry.name: entry for entry in found}
