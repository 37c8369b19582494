"""How columns and numbers read in a figure: labels of axes, and ticks as a person writes them."""

import functools
import math
import re

from implicitbias.margins.norms import named

FONT = "DejaVu Sans"
_DECIMALS = {"log_loss": 1}
LONGEST = 42  # letters of a formula in words; a longer one is told by its columns
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_AXES = {
    "step": "updates t",
    "sum_lr": "sum of the steps, or time t",
    "time": "time t",
    "epoch": "epochs",
    "batch": "batch size b",
    "lr": "last step size",
    "lr_eta": "step size η",
    "lr_eta / best": "step size η over the best one",
    "lr_schedule": "schedule",
    "lr_a": "exponent a of the steps t⁻ᵃ",
    "beta": "β",
    "beta1": "β₁",
    "beta2": "β₂",
    "kappa": "κ",
    "eps": "ε",
    "weight_decay": "weight decay λ",
    "geometry": "data",
    "method": "optimizer",
    "log_loss": "log loss",
    "min_margin": "smallest margin",
    "relative_move": "‖w(t) - w(t-1)‖ / ‖w(t)‖",
    "support": "samples with 99% of the weight",
    "residual": "distance from w_hat log t + w~",
    "data_seed": "seed of the data",
    "limit_method": "prediction",
}
_MEASURES = {"cos": "cosine", "angle": "degrees", "ratio": "margin γ(w)/γ", "margin": "normalised margin"}
_MEASURES |= {"norm": "norm", "distance": "distance to the optimal face", "gamma": "optimal margin", "gap": "gap"}


def label(name: str) -> str:
    """The words on an axis that shows a column, or a formula of columns.

    >>> label("inc_cos_linf"), label("1 - ratio_l2"), label("-log_loss")
    ('cosine to ℓ∞ (increment)', 'margin gap 1 - γ(w)/γ, ℓ₂', '-log loss')
    """
    if name.startswith("-"):
        return f"-{label(name[1:])}"
    if name.startswith("1 - ratio_") or name.startswith("1 - inc_ratio_"):
        return f"margin gap 1 - {label(name[4:]).removeprefix('margin ')}"
    first, minus, second = name.partition(" - ")
    if minus:
        words = f"{first if re.match('[0-9]', first) else label(first)} - {label(second)}"
        return words if len(words) <= LONGEST else name
    if name in _AXES:
        return _AXES[name]
    if name.startswith("data."):
        return name.removeprefix("data.")
    increment = name.startswith("inc_")
    kind, _, rest = name.removeprefix("inc_").partition("_")
    if kind not in _MEASURES or not rest:
        return name.replace("_", " ")
    if rest.startswith("if_"):
        rest = f"the limit for {rest.removeprefix('if_')}"
    of = symbol(rest) or ("the prediction" if rest == "limit" else rest.replace("_", " "))
    words = _MEASURES[kind]
    if kind in ("cos", "angle"):
        return f"{words} to {of}{' (increment)' * increment}"
    return f"{words}, {of}{', increment' * increment}"


@functools.cache
def symbols() -> dict[str, str]:
    """Norms as they are printed, by their names."""
    return {name: norm.symbol for name, norm in (named(matrices=True) | named()).items()}


def symbol(norm: str) -> str:
    """How a norm is printed, by its name; "" for what is none.

    >>> symbol("linf"), symbol("l1.5"), symbol("limit")
    ('ℓ∞', 'ℓ₁.₅', '')
    """
    found = symbols().get(norm, "")
    if not found and re.fullmatch(r"l\d+(\.\d+)?", norm):
        found = "ℓ" + norm[1:].translate(_SUBSCRIPT)
    return found


def method(text: str) -> str:
    """The name of an optimizer with its step size, as short as a legend wants it.

    >>> method("SGD, lr 0.1 (t+2)^-0.5")
    'SGD, lr 0.1 t^-0.5'
    """
    return re.sub(r" \(t\+[0-9.e+-]+\)\^", " t^", text)


def norms(text: str) -> str:
    """A title in which norms are written as in print: linf and l_inf are one thing."""
    return re.sub(r"\bl_?(1|2|inf)\b", lambda found: symbols()["l" + found[1]], text)


def number(value: float) -> str:
    """A number as a person writes it.

    >>> number(200000), number(0.05), number(1e-8), number(3.5), number(1e5)
    ('2·10⁵', '0.05', '10⁻⁸', '3.5', '10⁵')
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "full" if value > 0 else "–"
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4g}"
    mantissa, _, exponent = f"{value:.3e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    return {"1": "", "-1": "-"}.get(mantissa, f"{mantissa}·") + power(int(exponent))


def spread(mean: float, sd: float, name: str = "") -> str:
    """Mean ± standard deviation in as many digits as say something; what is nearly 1 as its distance to 1.

    >>> spread(0.80123, 0.0123), spread(1 - 3.2e-8, 1e-8, "cos_l2"), spread(float("nan"), 0.0)
    ('0.801 ± 0.012', '1 - 3.2e-08 ± 1e-08', '–')
    """
    if not math.isfinite(mean):
        return "–"
    near = 1.0 - mean
    if "cos_" in name or "ratio_" in name:
        if abs(near) < 1e-15:
            return "1"
        if abs(near) < 1e-4:
            return f"1 {'-' if near > 0 else '+'} {abs(near):.1e}" + (f" ± {sd:.0e}" if sd > 0 else "")
    if not (math.isfinite(sd) and sd > 0):
        return f"{mean:.{_DECIMALS[name]}f}" if name in _DECIMALS else f"{mean:.5g}"
    decimals = max(0, min(8, 1 - math.floor(math.log10(sd))))
    return f"{mean:.{decimals}f} ± {sd:.{decimals}f}"


def power(exponent: int) -> str:
    """A power of ten: 10⁻³."""
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def decades(low: float, high: float, most: int = 5) -> dict[float, str]:
    """Ticks of a logarithmic axis from low to high: powers of ten in one notation, or 1, 2, 5 where it is short.

    >>> list(decades(0.9, 2e8).values())
    ['10⁰', '10²', '10⁴', '10⁶', '10⁸']
    >>> list(decades(0.5, 3000.0).values()), list(decades(0.15, 0.6).values())
    (['1', '10', '100', '1000'], ['0.2', '0.5'])
    """
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first < 1:  # less than two powers of ten
        for steps in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
            found = [m * 10.0**k for k in range(first - 1, last + 1) for m in steps if low <= m * 10.0**k <= high]
            if len(found) > 1:
                break
        return {tick: number(float(f"{tick:.6g}")) for tick in found[:: -(-len(found) // most) if found else 1]}
    step = next(n for n in (1, 2, 3, 4, 5, 10, 20, 25, 50, 100, 200) if (last - first) // n < most)
    exponents = range(-(-first // step) * step, last + 1, step)
    plain = min(exponents) >= -2 and max(exponents) <= 3
    return {10.0**k: f"{10.0**k:g}" if plain else power(k) for k in exponents}


def slug(text: str) -> str:
    """A title as a part of a file name.

    >>> slug("Where runs end: Adam(0.9), n=10")
    'where_runs_end_adam_0.9_n_10'
    """
    return re.sub(r"[^a-z0-9.-]+", "_", text.lower()).strip("_.-")[:60] or "figure"


def plain(text: str, width: int = 0) -> str:
    """A user's text as matplotlib can draw it: no mathematics, no glyph the font lacks, not too long."""
    text = "".join(c if c == "\n" or (c.isprintable() and _has_glyph(c)) else "?" for c in str(text))
    text = text if not width or len(text) <= width else text[: width - 1] + "…"
    return text.replace("$", r"\$")


@functools.cache
def _font():
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    return FT2Font(findfont(FONT))


@functools.cache
def _has_glyph(character: str) -> bool:
    return _font().get_char_index(ord(character)) != 0
