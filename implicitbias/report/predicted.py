"""Figure 5: how near to its predicted limit every run ends."""

from itertools import pairwise

import pandas as pd

from implicitbias.report.arrange import MAX_LINES, Facets, against_prediction, levels, spread
from implicitbias.report.draw import Key, Picture
from implicitbias.report.palette import Palette
from implicitbias.report.scatter import Cloud, Plot, draw_scatter

# Degrees, a cosine within 2e-10 of 1: nearer than finite runs come, but for those that start at their limit.
LEAST_ANGLE = 0.001
MAX_NAMES = 4  # data sets whose names fit below an axis

CAPTION = (
    "One point a run with a predicted limit, colour the optimizer, marker the order of the batches. Left and middle: "
    "cosine of the last increment w(t) - w(t/2) to the l2 and the linf max-margin direction against the one that the "
    "predicted limit has; on the grey line they agree, as they do in a run that has converged to its prediction. "
    "Equal cosines to both are not yet equal directions; right, on a logarithmic axis, is the angle between the "
    "increment and the predicted limit itself: 1 degree is a cosine of 0.99985, angles below 0.001 degrees are drawn "
    "at 0.001. An angle that stays large says that the run is still on its way (figure 2), that its steps are too "
    "large for a limit of small ones, as those of Signum in a fixed order may be, or that the theory does not hold "
    "here, such as one for beta2 -> 1 at a small beta2. The column limit_rule says what each prediction assumes."
)


def compare(ok: pd.DataFrame, palette: Palette) -> list[tuple[Facets, Picture]]:
    """The sheets of the figure; none if no run has a prediction whose increment exists."""
    found = []
    for sheet in against_prediction(ok):
        ((_, runs),) = sheet.columns
        runs = runs[runs["inc_angle_limit"].notna()]
        if runs.empty:
            continue
        found.append((sheet, draw_scatter(plots(runs, palette), _keys(runs, palette))))
    return found


def plots(runs: pd.DataFrame, palette: Palette) -> list[Plot]:
    """The three plots of a sheet, with one point a run in each."""
    found = [
        Plot(
            f"predicted cosine to {norm} max-margin", f"measured cosine to {norm} max-margin (increment)",
            _clouds(runs, runs[f"limit_cos_{norm}"], runs[f"inc_cos_{norm}"], palette), identity=True,
        )
        for norm in ("l2", "linf")
    ]  # fmt: skip
    return [*found, _angles(runs, palette)]


def _angles(runs: pd.DataFrame, palette: Palette) -> Plot:
    """Angles against batch size, or against the data sets in a study of one batch size; methods side by side."""
    methods = levels(runs, "method")
    place = runs["method"].map(methods.index) - (len(methods) - 1) / 2
    scale, label = "linear", "data set"
    if runs["batch"].nunique() > 1:
        sizes = levels(runs, "batch")
        ticks = {size: f"{size:g}" for size in spread(sizes, MAX_LINES)}
        # all methods of a size within a third of the distance to the next one
        step = min(1.08, min(b / a for a, b in pairwise(sizes)) ** (0.35 / len(methods)))
        x, scale, label = runs["batch"] * step**place, "log", "batch size b"
    else:
        names = levels(runs, "geometry")
        ticks = dict(enumerate(names, start=1))
        if len(names) > MAX_NAMES:
            ticks = {i: str(i) for i in spread(list(ticks), MAX_LINES)}
            label = "number of the data set, in the order of the study"
        x = 1 + runs["geometry"].map(names.index) + 0.6 * place / len(methods)
    return Plot(
        label, "degrees from increment to predicted limit", _clouds(runs, x, runs["inc_angle_limit"], palette),
        xscale=scale, yscale="log", xticks=ticks, floor=LEAST_ANGLE,
    )  # fmt: skip


def _clouds(runs: pd.DataFrame, x: pd.Series, y: pd.Series, palette: Palette) -> list[Cloud]:
    return [
        Cloud(
            x.loc[part.index].to_numpy(float), y.loc[part.index].to_numpy(float),
            palette.colour["method"][method], palette.order[order],
        )
        for (method, order), part in runs.groupby(["method", "order"], sort=False)
    ]  # fmt: skip


def _keys(runs: pd.DataFrame, palette: Palette) -> list[Key]:
    methods, orders = set(runs["method"]), set(runs["order"])
    keys = [Key(name, hue) for name, hue in palette.colour["method"].items() if name in methods]
    keys += [
        Key(name, style="", marker=marker, hollow=True) for name, marker in palette.order.items() if name in orders
    ]
    return keys
