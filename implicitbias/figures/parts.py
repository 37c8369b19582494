"""What a figure is made of: panels of series, with the theory drawn where the measurement is. No matplotlib here."""

from dataclasses import dataclass, field

import numpy as np

DOTTED = (0, (1, 1.2))
TICK = "_"  # a short horizontal line: what is predicted is a mark, and no method


@dataclass(frozen=True)
class Series:
    """Points that look alike: a line where `style` is one, with quartiles where there are some; x ascending."""

    x: np.ndarray
    y: np.ndarray
    colour: str
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    style: str | tuple = "-"
    marker: str = ""
    hollow: bool = False
    band: str = "fill"  # or "bars", for a few separate x
    over: bool = False  # drawn above the rest
    faint: bool = False
    dots: float = 0.0  # the size of the points, where they are so many that rings would hide each other


@dataclass(frozen=True)
class Bound:
    """What a claim allows on the y axis; what is outside refutes it, and is shaded."""

    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True)
class Guide:
    """A line that the theory draws, with its exponent written on it."""

    x: np.ndarray
    y: np.ndarray
    text: str = ""


@dataclass(frozen=True)
class Heat:
    """A table of numbers as colours between the ends: values (rows, columns), one row a level of y."""

    values: np.ndarray
    rows: list[str]
    columns: list[str]
    label: str
    ends: tuple[float, float] | None = None
    marks: list[tuple[float, float]] = field(default_factory=list)  # points on it, as column and row, from 0
    written: bool = False  # whether its numbers are written, the first row at the top, the largest of each framed


@dataclass(frozen=True)
class Panel:
    """One pair of axes. `xticks` are places and words of levels; without them the axis has numbers."""

    title: str = ""
    xlabel: str = ""
    ylabel: str = ""
    series: list[Series] = field(default_factory=list)
    xscale: str = "linear"
    yscale: str = "linear"
    xticks: dict[float, str] = field(default_factory=dict)
    bounds: list[Bound] = field(default_factory=list)
    guides: list[Guide] = field(default_factory=list)
    heat: Heat | None = None
    identity: bool = False
    logs: bool = False  # x holds log t on a logarithmic axis, and ticks are those of t
    mark: float | None = None  # a thin horizontal line to compare with
    own: bool = False  # its limits are its own, and not those of panels with the same words
    floor: float = 0.0  # of a logarithmic y axis: what is less is drawn there, and its tick says so


@dataclass(frozen=True)
class Key:
    """One entry of the legend."""

    text: str
    colour: str = "#333333"
    style: str | tuple = "-"
    marker: str = ""
    hollow: bool = False


@dataclass(frozen=True)
class Figure:
    """Panels side by side; those with the same words on an axis have the same limits.

    Attributes
        name      the stem of its files
        title     the question it answers
        caption   what is drawn, over how many runs, and what is left out
        columns   panels in a row, at most
        claims    numbers of the claims that it decides
    """

    name: str
    title: str
    caption: str
    panels: list[Panel]
    keys: list[Key] = field(default_factory=list)
    keys_title: str = ""
    columns: int = 3
    claims: tuple[int, ...] = ()
