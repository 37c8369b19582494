"""The colours and markers of a page."""

import numpy as np
import pandas as pd

from implicitbias.report.arrange import levels
from implicitbias.report.draw import COLOURS, MARKERS

# Batch sizes from small to large: dark to light and back, told apart by the colour-blind.
SHADES = ("#3B0F70", "#2F6DB5", "#1B9E77", "#E3A700", "#D7301F")
DARKEN = 0.65  # what a prediction keeps of the colour of its method


class Palette:
    """One colour for each method and batch size, the same in all figures of a page.

    Attributes
        colour       {"batch": {size: colour}, "method": {name: colour}}
        dark         the colour of a method, darker: what is predicted for it
        marker       that of a method
        order        that of an order
    """

    def __init__(self, runs: pd.DataFrame):
        from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb

        methods, batches = levels(runs, "method"), levels(runs, "batch")
        self.marker = {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(methods)}
        self.order = {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(levels(runs, "order"))}
        shades = LinearSegmentedColormap.from_list("batch", SHADES)(np.linspace(0.0, 1.0, len(batches)))
        self.colour = {"batch": {size: to_hex(shade) for size, shade in zip(batches, shades)}}
        self.colour["method"] = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(methods)}
        hues = self.colour["method"].items()
        self.dark = {name: to_hex([DARKEN * part for part in to_rgb(hue)]) for name, hue in hues}
