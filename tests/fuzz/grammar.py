"""Studies from a grammar: valid ones, and what hypothesis may do to spoil them.

A study is a tree of Python values, written as TOML here and not by a library, so that a test can write what no library
would: keys twice, broken lines, other bytes.
"""

import math
import re

from hypothesis import strategies as st

COUNT = st.integers(1, 5)
SEED = st.integers(0, 3)
REAL = st.sampled_from([0.1, 0.5, 1, 2.0])
FLAG = st.booleans()
FAMILIES = {
    "gaussian": {"n": COUNT, "d": COUNT, "seed": SEED, "rotate": SEED},
    "scaled_rademacher": {"n": COUNT, "d": COUNT, "seed": SEED},
    "scaled_rademacher_reference": {},
    "shifted_diagonal": {"shift": REAL, "rotate": SEED},
    "clusters": {"n": COUNT, "d": COUNT, "separation": REAL, "noise": REAL, "intercept": FLAG, "seed": SEED},
    "imbalanced": {"n": COUNT, "d": COUNT, "fraction": st.sampled_from([0.1, 0.5]), "seed": SEED},
    "power_law": {"n": COUNT, "d": COUNT, "alpha": REAL, "rotate": FLAG, "seed": SEED},
    "correlated": {"n": COUNT, "d": COUNT, "rho": st.sampled_from([-0.5, 0.0, 0.9]), "seed": SEED},
    "sparse": {"n": COUNT, "nonzeros": st.integers(1, 3), "seed": SEED},
    "heavy_tailed": {"n": COUNT, "d": COUNT, "seed": SEED},
}
LOGS = [{}, {"log": True}, {"log": False}]
DECAY = st.sampled_from([0, 0.0, 0.5, 0.9])
STEP = st.one_of(
    st.sampled_from([1, 0.1, 1e-3]),
    st.fixed_dictionaries({"eta": REAL}, optional={"a": st.sampled_from([0, 0.5, 1.0]), "t0": st.sampled_from([1, 2])}),
)
OPTIMIZERS = {
    "adam": {"beta1": DECAY, "beta2": DECAY, "eps": st.sampled_from([0, 1e-8]), "bias_correction": FLAG, "lr": STEP},
    "adamw": {"weight_decay": st.sampled_from([0, 0.1]), "lr": STEP},
    "adam_proxy": {"lr": STEP},
    "adagrad": {"eps": st.sampled_from([0, 1e-8]), "eps_inside": FLAG, "lr": STEP},
    "sgd": {"momentum": DECAY, "nesterov": FLAG, "lr": STEP},
    "signum": {"lr": STEP},
    "ngd": {"lr": STEP},
}
GRID = {
    "batch": st.sampled_from([1, 2, "n"]),
    "order": st.sampled_from(["full", "cyclic", "shuffle_once", "reshuffle", "replacement"]),
    "lr": STEP,
    "until_log_loss": st.sampled_from([-1, -2.5]),
    "seed": SEED,
    "loss": st.sampled_from(["logistic", "exponential"]),
    "remainder": st.sampled_from(["keep", "drop"]),
    "per_octave": st.integers(1, 3),
    "limit": st.sampled_from(["theory", "none"]),
}
NAMES = st.sampled_from(["a", "b.c", "../x", "[red]", "<b>", "{{ 7*7 }}", "é", "a b", '"', "\\", "%s", "\x1b[31m", "."])
TEXT = st.sampled_from(
    ["t", "", "<script>", "{{ 7*7 }}", "[red]x", "\x1b[31m", "$x^2$", "\x00", "\u202e", "a\nb", "%d"]
)


def axes(parameters: dict, most: int = 3) -> st.SearchStrategy:
    """Some of the parameters, each a value, a list or a range; of step sizes one of real numbers."""

    def axis(strategy):
        return strategy | st.lists(strategy, min_size=1, max_size=2)

    ranges = st.builds(lambda low, more: {"from": low, "to": low + more}, st.integers(0, 2), st.integers(0, 1))
    spaced = st.builds(
        lambda count, log: {"from": 0.1, "to": 2, "count": count} | log, st.integers(2, 3), st.sampled_from(LOGS)
    )
    others = {"seed": ranges, "lr": spaced}
    optional = {key: axis(value) | others.get(key, st.nothing()) for key, value in parameters.items()}
    keys = st.lists(st.sampled_from(sorted(optional)), max_size=most, unique=True) if optional else st.just([])
    return keys.flatmap(lambda chosen: st.fixed_dictionaries({key: optional[key] for key in chosen}))


@st.composite
def table(draw, kinds: dict) -> dict:
    kind = draw(st.sampled_from(sorted(kinds)))
    found = {"kind": kind} | draw(axes(kinds[kind]))
    return zipped(draw, found)


def zipped(draw, found: dict) -> dict:
    """The table, sometimes with two of its lists of equal length tied together."""
    lists = [key for key, value in found.items() if isinstance(value, list)]
    pairs = [[a, b] for a in lists for b in lists if a < b and len(found[a]) == len(found[b])]
    return found | {"zip": [draw(st.sampled_from(pairs))]} if pairs and draw(st.booleans()) else found


COLUMNS = st.sampled_from(["cos_l2", "inc_cos_l2", "ratio_linf", "log_loss", "norm_l2", "step", "min_margin"])
WHERE = {
    "batch": st.sampled_from([1, [1, 2]]),
    "order": st.sampled_from(["full", ["cyclic", "full"]]),
    "data.n": COUNT,
    "optimizer": NAMES,
    "status": st.just("ok"),
}


@st.composite
def claim(draw) -> dict:
    a, b = draw(COLUMNS), draw(COLUMNS)
    measure = draw(st.sampled_from([a, f"-{a}", f"{a} - {b}", f"1 - {a}", "direction", "__import__('os')"]))
    found = {"says": draw(TEXT), "source": draw(TEXT), "measure": measure}
    found |= draw(
        st.sampled_from([{"at_least": 0.5}, {"at_most": 0}, {"equal": 1, "within": 0.1}, {"at_least": -1e300}])
    )
    found |= {"where": draw(axes(WHERE, 2))} if draw(st.booleans()) else {}
    kind = draw(st.sampled_from(["", "mean", "across", "limit", "against"]))
    if kind == "against":
        found |= {"against": draw(COLUMNS), "octaves": draw(st.sampled_from([1, 2.5]))}
        found |= draw(st.sampled_from([{}, {"law": "power"}, {"law": "exponential"}, {"above": 0.1}]))
    elif kind == "across":
        found["across"] = draw(st.sampled_from(["batch", "order", "seed", "lr_eta", "beta1"]))
    else:
        found |= {"mean": {"over": "mean"}, "limit": {"limit": True}}.get(kind, {})
    return found


@st.composite
def studies(draw) -> dict:
    """A study that the grammar allows. Not every one is valid: sizes may not fit, a step size may be missing."""
    names = st.lists(NAMES, min_size=1, max_size=2, unique=True)
    flowing = draw(st.integers(0, 5)) == 0
    kinds = {"gradient_flow": {}} if flowing else OPTIMIZERS
    grid = axes({k: v for k, v in GRID.items() if not flowing or k in ("loss", "per_octave", "limit")})
    horizon = st.fixed_dictionaries({"steps": st.sampled_from([1, 3, [2, 5]])})
    horizon = st.fixed_dictionaries({"time": st.sampled_from([3.0, 8])}) if flowing else horizon
    found = {
        "title": draw(TEXT),
        "question": draw(TEXT),
        "sources": draw(st.lists(TEXT, max_size=1)),
        "data": {name: draw(table(FAMILIES)) for name in draw(names)},
        "optimizer": {name: draw(table(kinds)) for name in draw(names)},
        "grid": [
            zipped(draw, ({} if flowing or draw(st.booleans()) else {"lr": 0.1}) | draw(grid) | draw(horizon))
            for _ in range(draw(st.integers(1, 2)))
        ],
        "claim": draw(st.lists(claim(), max_size=2)),
    }
    return {key: value for key, value in found.items() if key == "title" or value not in ("", [])}


# -- spoiling ---------------------------------------------------------------------------------------------------------

HOSTILE = st.one_of(
    st.sampled_from([
        math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 0, -1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400,
        True, False, "", "n", "\x00", "\x1b[2J", "é", "a" * 9999, "{{ 7*7 }}", "__import__('os').system('x')", [], {},
        [[]], [[[1]]], [1, "a"], {"from": 0, "to": 10**12}, {"from": -(2**63), "to": 2**63 - 1}, {"from": 5, "to": 0},
        {"from": 0}, {"from": 0.5, "to": 2}, {"from": -(10**400), "to": 10**400, "count": 3},
        {"from": -1.7e308, "to": 1.7e308, "count": 3}, {"from": 1, "to": 2, "count": 2**63, "log": 0},
        {"from": 0, "to": 10**6 + 1}, {"eta": math.nan}, {"eta": [1]}, [1] * 300, [{"eta": 0.1}, -1],
        {"a": {"b": {"c": 1}}}, [["n", "d"]], "file",
    ]),
    st.text(max_size=5), st.integers(-3, 6), st.floats(),
)  # fmt: skip


def places(tree, path=()):
    """Every place in a tree, the root left out."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


@st.composite
def spoilt(draw) -> dict:
    """A study with one to three places changed: another value, gone, or beside a key that nobody knows."""
    found = draw(studies())
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(places(found), key=repr)))
        table = found
        for key in path[:-1]:
            table = table[key]
        how = draw(st.sampled_from(["value", "value", "value", "gone", "key"]))
        if how == "value" or isinstance(table, list):
            table[path[-1]] = draw(HOSTILE)
        elif how == "gone":
            del table[path[-1]]
        else:
            table[draw(st.sampled_from(["steps", "time", "lr", "zip", "advance", "name", "seed", "n", "", "x\ny"]))] = (
                draw(HOSTILE)
            )
        if not found:
            break
    return found


@st.composite
def spoilt_bytes(draw) -> bytes:
    """The text of a study after an accident: cut, doubled lines, other bytes, other encodings."""
    data = bytearray(to_toml(draw(studies())).encode())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        how = draw(st.sampled_from(["cut", "byte", "insert", "line", "bom", "crlf", "utf16"]))
        if how == "cut":
            del data[at:]
        elif how == "byte" and data:
            data[at] = draw(st.integers(0, 255))
        elif how == "insert":
            hostile = [
                b"\0",
                b"\xff",
                b"[" * 500,
                b"\r",
                b'"""',
                b"[[",
                b"a.b = 1\n",
                b"{ ",
                b"'",
                b"=" * 9,
                b"a." * 999,
            ]
            data[at:at] = draw(st.sampled_from(hostile))
        elif how == "line":
            lines = bytes(data).splitlines(keepends=True) or [b""]
            data += lines[at % len(lines)]
        else:
            text = bytes(data)
            data = bytearray(
                {"bom": b"\xef\xbb\xbf" + text, "crlf": text.replace(b"\n", b"\r\n")}.get(how)
                or text.decode("utf-8", "replace").encode("utf-16")
            )
    return bytes(data)


def to_toml(tree: dict) -> str:
    """The tree as TOML: tables and lists of tables as sections, what is below them inline."""
    heads, sections = [], []
    for key, value in tree.items():
        if isinstance(value, dict) and value and all(isinstance(item, dict) for item in value.values()):
            for name, items in value.items():
                sections.append(f"[{_key(key)}.{_key(name)}]\n" + _lines(items))
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            sections += [f"[[{_key(key)}]]\n" + _lines(items) for items in value]
        else:
            heads.append(f"{_key(key)} = {_value(value)}\n")
    return "".join(heads + sections)


def _lines(table: dict) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items())


def _key(text) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else _text(text)


def _text(text: str) -> str:
    plain = "".join(
        c if c >= " " and c not in '"\\\x7f' and not 0xD800 <= ord(c) < 0xE000 else _escape(c) for c in text
    )
    return f'"{plain}"'


def _escape(c: str) -> str:
    return "\\u003f" if 0xD800 <= ord(c) < 0xE000 else f"\\u{ord(c):04x}"


def _value(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    return repr(value)  # of floats: nan, inf, -inf as TOML spells them
