"""Colours: the same for an optimizer in all figures of all studies, told apart by the colour-blind.

Ordered levels get a sequential hue, dark to light. Black and greys belong to what is claimed, predicted and fitted.
"""

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd

# Okabe and Ito's palette without its black and its yellow, which is too pale for a line; then Tol's.
_FAMILIES = {
    "adam": "#0072B2",
    "sgd": "#D55E00",
    "signum": "#009E73",
    "ngd": "#CC79A7",
    "adamw": "#56B4E9",
    "adagrad": "#E69F00",
    "adam_proxy": "#785EF0",
    "gradient_flow": "#7A3B00",
    "steepest_flow": "#117733",
    "adam_proxy_flow": "#332288",
    "normalized_steepest_descent": "#44AA99",
    "muon": "#882255",
    "dion": "#BBA23C",
    "random_spectrum": "#999933",
    "shampoo": "#332288",
    "soap": "#88CCEE",
    "adafactor": "#661100",
    "lion": "#CC3311",
}
_OTHERS = ("#AA4499", "#44AA99", "#999933", "#882255", "#661100", "#6699CC")
_LINES = ("-", "-.", ":", (0, (6, 1.5)), (0, (3, 1, 1, 1, 1, 1)))  # of the methods of one kind
_CATEGORIES = ("#332288", "#44AA99", "#CC6677", "#999933", "#882255", "#88CCEE", "#117733")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def family(kind: str) -> str:
    """The colour of a kind of optimizer."""
    return _FAMILIES.get(kind) or _OTHERS[sum(map(ord, kind)) % len(_OTHERS)]


def sequential(count: int) -> list[str]:
    """Colours of ordered levels, from dark to light: viridis without its palest fifth."""
    import matplotlib
    from matplotlib.colors import to_hex

    if count == 1:
        return [to_hex(matplotlib.colormaps["viridis"](0.3))]
    return [to_hex(matplotlib.colormaps["viridis"](share)) for share in np.linspace(0.0, 0.82, count)]


def categories(levels: list) -> dict:
    return {level: _CATEGORIES[i % len(_CATEGORIES)] for i, level in enumerate(levels)}


@functools.cache
def shade(colour: str, share: float) -> str:
    """Towards black for a share from 0 down to -1, towards white up to 1."""
    from matplotlib.colors import to_hex, to_rgb

    rgb, end = np.array(to_rgb(colour)), np.full(3, float(share > 0))
    return to_hex(rgb + abs(share) * (end - rgb))


@dataclass(frozen=True)
class Looks:
    """The colour, marker and line of each method of a study, the same in all its figures; flows are dashed, as they
    may lie on the runs whose limit they are, and methods of one kind have lines of their own, too."""

    colour: dict[str, str]
    marker: dict[str, str]
    style: dict[str, str | tuple]


def methods(runs: pd.DataFrame) -> Looks:
    """The colour of each method is that of its kind of optimizer, in shades where several methods are of one kind."""
    colour: dict[str, str] = {}
    style: dict[str, str | tuple] = {}
    for kind, part in runs.groupby("optimizer_kind", sort=False, dropna=False):
        names = list(dict.fromkeys(part["method"]))
        shades = np.linspace(-0.45, 0.45, len(names)) if len(names) > 1 else [0.0]
        colour |= {name: shade(family(str(kind)), share) for name, share in zip(names, shades)}
        flow = str(kind).endswith("_flow")
        style |= {name: "--" if flow else _LINES[i % len(_LINES)] for i, name in enumerate(names)}
    return Looks(colour, markers(list(dict.fromkeys(runs["method"]))), style)


def markers(names: list) -> dict:
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(names)}
