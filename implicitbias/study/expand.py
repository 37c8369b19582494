"""A study as the list of its runs, fully resolved."""

import hashlib
import json
import math
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace

from implicitbias.errors import InputError, one_of
from implicitbias.flows import KINDS, Flow
from implicitbias.flows.setting import resolve_flow
from implicitbias.measure import LINEAR, Measures, Shape
from implicitbias.optimizers import Optimizer
from implicitbias.simulation.orders import ORDERS, REMAINDERS
from implicitbias.simulation.schedules import Power, Schedule
from implicitbias.simulation.setting import Setting, resolve
from implicitbias.simulation.tail import LOSSES
from implicitbias.store.schema import USUAL
from implicitbias.study.axes import MOST_RUNS, combinations, enough, unknown_kind
from implicitbias.study.branches import written
from implicitbias.study.data import Data, data_sets, shapes_of, subject
from implicitbias.study.keys import DISCRETE, Grid, Study
from implicitbias.study.spec import check_values
from implicitbias.study.step_sizes import misfits, schedule

METHODS = ("theory", "numerical", "none")  # of predicting a limit
ANY_LR = Power(1.0)  # stands for a step size that is wrong, so that the checks can go on


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run of a study: everything that decides its result, and the names the study gives to its parts."""

    data: Data
    optimizer_name: str
    optimizer: Optimizer
    lr: Schedule | None  # None for a flow
    setting: Setting
    limit: str  # how its limit is predicted: "theory", "numerical" or "none"
    run_id: str
    measures: Measures = USUAL

    @property
    def block_key(self):
        """Runs with equal keys share data and batch order, and are advanced together."""
        return self.data, type(self.optimizer).name, self.setting


def canonical(
    data: Data, optimizer: Optimizer, lr: Schedule | None, setting: Setting, limit: str, measures: Measures = USUAL
) -> dict:
    """What a run is, without names: the same dictionary always gives the same result."""
    return {
        "data": data.digest,
        "optimizer": type(optimizer).name,
        "hyper": optimizer.canonical(),
        "lr": None if lr is None else lr.table(),
        "limit": limit,
        **measures.asked(),
        **_of(setting),
    }


def _of(setting: Setting) -> dict:
    return setting.told() if isinstance(setting, Setting) else asdict(setting)  # of a flow


def run_id(specification: dict) -> str:
    """Hash of the canonical specification."""
    return _hash(_json(specification))


def identity(
    data: Data, optimizer: Optimizer, lr: Schedule | None, setting: Setting, limit: str, measures: Measures = USUAL
) -> str:
    """The id of a run."""
    return _hash(_outer(setting, limit, measures) % (data.digest, _hyper(optimizer), _law(lr), type(optimizer).name))


# The text that is hashed is put together from pieces that many runs share: it takes a third of the time of planning.


def _outer(setting: Setting, limit: str, measures: Measures) -> str:
    """The JSON of `canonical` with four holes, for what varies within a cell of a grid."""
    texts = {**_of(setting), "limit": limit, **measures.asked()}
    fixed = {key: _json(value).replace("%", "%%") for key, value in texts.items()}
    parts = fixed | {"data": '"%s"', "hyper": "%s", "lr": "%s", "optimizer": '"%s"'}
    return "{" + ",".join(f'"{key}":{parts[key]}' for key in sorted(parts)) + "}"


def _hyper(optimizer: Optimizer) -> str:
    return _json(optimizer.canonical())


def _law(lr: Schedule | None) -> str:
    return _json(None if lr is None else lr.table())


def _json(value) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def expand(study: Study) -> list[RunSpec]:
    """Every run of the study, in the order of the file, each once.

    Errors: ``InputError`` with every mistake in data, optimizers and grids.
    """
    mistakes: list[str] = []
    grids = {f"grid.{position}": grid for position, grid in enumerate(study.grid)}
    sets = data_sets(study.data, mistakes)
    measures = measures_of(study, subject(sets), shapes_of(sets), mistakes)
    if measures.top is not None and any(item.model for items in sets.values() for item in items):
        mistakes.append(LINEAR)
    runs = list(expand_tables(sets, study.optimizer, grids, mistakes, measures))
    if mistakes:
        raise InputError(mistakes)
    return runs


def measures_of(study: Study, about: tuple[bool, str | None], shapes: Iterable[Shape], mistakes: list[str]) -> Measures:
    """What a study asks to be measured of problems of these shapes; it is `about` matrices or not, and objectives of a
    form or data."""
    try:
        return Measures.of(study.measures, study.norms, *about, top=study.top, shapes=shapes)
    except InputError as error:
        mistakes.extend(error.mistakes)
        return Measures.of(None, None, *about)


def expand_tables(
    sets: dict[str, list[Data]],
    optimizer: dict,
    grids: dict[str, Grid],
    mistakes: list[str],
    measures: Measures = USUAL,
) -> Iterator[RunSpec]:
    """The runs of grids, each under the name of its place, one by one; mistakes are added to the list, and the rest
    goes on."""
    optimizers = {
        name: _optimizers(name, table, mistakes) if isinstance(table, dict) else [] for name, table in optimizer.items()
    }
    seen: set[str] = set()
    for where, grid in grids.items():
        local: list[str] = []  # a mistake in one grid does not hide those of the next
        for spec in _grid_runs(where, grid, sets, optimizers, measures, local):
            if spec.run_id not in seen:
                seen.add(spec.run_id)
                yield spec
        mistakes.extend(dict.fromkeys(local))


def _optimizers(name: str, table: dict, mistakes: list[str]) -> list[tuple[str, Optimizer, Schedule | None]]:
    table, where = dict(table), f"optimizer.{name}"
    kind, zips = table.pop("kind", name), table.pop("zip", [])
    if not isinstance(kind, str) or kind not in KINDS:
        mistakes.append(unknown_kind(where, name, kind, "optimizer", KINDS))
        return []
    known = [item.name for item in fields(KINDS[kind])]  # __dataclass_fields__ has the constants of the class too
    unknown = [key for key in table if key not in known and key != "lr"]
    mistakes.extend(f"{where}.{key}: {one_of(key, 'hyper-parameter', [*known, 'lr'])}" for key in unknown)
    table = {key: value for key, value in table.items() if key not in unknown}
    found, local = [], []
    for params in combinations(table, zips, where, local):
        if enough(local):
            break
        lr = params.pop("lr", None)
        try:
            law = None if lr is None else schedule(lr, f"{where}.lr", local) or ANY_LR
            found.append((name, KINDS[kind](**params), law))
            if law is not None and isinstance(found[-1][1], Flow):
                local.append(f"{where}.lr: a flow has no step size; leave lr out")
        except InputError as error:
            local.extend(f"{where}: {mistake}" for mistake in error.mistakes)
    mistakes.extend(dict.fromkeys(local))
    return found


def make_optimizer(kind: str, settings: list[str]) -> Optimizer:
    """An optimizer from its kind and "name=value" settings. Errors: ``InputError`` with every mistake."""
    mistakes: list[str] = []
    table = {"kind": kind}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            table[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):
            if value.strip().isidentifier():  # a word, without the quotes that a shell would take off
                table[name.strip()] = value.strip()
                continue
            mistakes.append(f"--hyper takes name=value, such as beta2=0.95, not {setting!r}")
    check_values(table, "--hyper")
    for name, value in [*table.items()]:
        if name in ("lr", "zip") or isinstance(value, (list, dict)):
            mistakes.append(f"--hyper {name}: one optimizer with one value of each hyper-parameter is predicted")
            del table[name]
    found = _optimizers(kind, table, mistakes)
    if mistakes:
        raise InputError(mistakes)
    return found[0][1]


def _grid_runs(where, grid: Grid, data, optimizers, measures: Measures, mistakes) -> Iterator[RunSpec]:
    table = {name: value for name in Grid.model_fields if name != "zip" and (value := getattr(grid, name)) is not None}
    table.setdefault("data", list(data))
    table.setdefault("optimizer", list(optimizers))
    for field, known in (("data", data), ("optimizer", optimizers)):
        mistakes.extend(f"{where}.{field}: {one_of(name, field, known)}" for name in table[field] if name not in known)
    laws = table.get("lr")
    if "lr" in table:
        table["lr"] = [schedule(value, f"{where}.lr", mistakes) or ANY_LR for value in table["lr"]]
    if "after" in table:
        lr = table["lr"][0] if laws and len(laws) == 1 else None
        table["after"] = [written(given, where, optimizers, lr, mistakes) for given in table["after"]]
    if not any(map(data.get, table["data"])) or not any(map(optimizers.get, table["optimizer"])):
        # No run can be formed, because of mistakes elsewhere; the words of the grid can be checked all the same.
        for field, known in (("order", ORDERS), ("loss", LOSSES), ("remainder", REMAINDERS), ("limit", METHODS)):
            words = [word for word in table.get(field, ()) if word not in known]
            mistakes.extend(f"{where}.{field}: {one_of(word, field, known)}" for word in words)
    chosen = [item for name in table["optimizer"] for item in optimizers.get(name, ())]
    flowing = any(isinstance(optimizer, Flow) for _, optimizer, _ in chosen)
    local: list[str] = _flow_mistakes(where, grid, chosen)
    if local:
        mistakes.extend(local)
        return
    counts = {name: len(values) for name, values in table.items()}
    counts |= {"data": sum(len(data.get(name, ())) for name in table["data"]), "optimizer": len(chosen)}
    for group in grid.zip:
        counts |= dict.fromkeys(group[1:], 1)  # the first of a group counts for all
    if math.prod(counts.values()) > MOST_RUNS:
        mistakes.append(f"{where} has {math.prod(counts.values())} runs; the most are {MOST_RUNS}")
        return
    # The JSON of every optimizer, and of its own step size, once.
    texts = {
        name: [(*item, _hyper(item[1]), item[2] and _law(item[2])) for item in items]
        for name, items in optimizers.items()
    }
    fits: set[tuple] = set()  # what has been looked at
    for cell in combinations(table, grid.zip, where, local):
        if enough(mistakes):
            break
        cell_lr = cell.get("lr")
        cell_text = _law(cell_lr)
        shared: dict = {}  # the setting of a cell depends on the number of rows, and on which flow it is
        for item in data.get(cell["data"], ()):
            for name, optimizer, own_lr, hyper, own_text in texts.get(cell["optimizer"], ()):
                lr = own_lr or cell_lr
                if lr is None and not flowing:
                    mistakes.append(
                        f"{where}: no step size for optimizer {name!r}; give lr in the grid or with the optimizer"
                    )
                    continue
                key = item.name, item.n, optimizer if flowing else None
                if key not in shared:
                    shared[key] = _cell_setting(where, item, optimizer, cell, measures, mistakes)
                if shared[key] is None:
                    continue
                setting, outer = shared[key]
                if (fit := (id(optimizer), id(lr), setting.steps)) not in fits:
                    fits.add(fit)
                    mistakes.extend(
                        f"{where} with optimizer {name!r}: {word}" for word in misfits(optimizer, lr, setting.steps)
                    )
                text = outer % (item.digest, hyper, own_text or cell_text, type(optimizer).name)
                yield RunSpec(item, name, optimizer, lr, setting, cell["limit"], _hash(text), measures)
    mistakes.extend(local)


def _cell_setting(
    where: str, item: Data, optimizer: Optimizer, cell: dict, measures: Measures, mistakes
) -> tuple[Setting, str] | None:
    """The setting of a cell for a data set, with its part of the text that is hashed; None if something is wrong."""
    try:
        setting = _setting(item.n, optimizer, cell)
    except InputError as error:
        mistakes.extend(f"{where} with data {item.name!r}: {mistake}" for mistake in error.mistakes)
        return None
    if cell["limit"] not in METHODS:
        mistakes.append(f"{where}.limit: {one_of(cell['limit'], 'method', METHODS)}")
        return None
    return setting, _outer(setting, cell["limit"], measures)


def _flow_mistakes(where: str, grid: Grid, chosen: list) -> list[str]:
    """What is wrong with a grid, given that it names flows, or names none."""
    names = {kind: [name for name, item, _ in chosen if isinstance(item, Flow) is kind] for kind in (True, False)}
    if not names[True]:
        words = f"{where}.time: the horizon of flows; {', '.join(dict.fromkeys(names[False]))} take steps or epochs"
        return [words] if names[False] and grid.time is not None else []
    if names[False]:
        return [
            f"{where}: the flow {names[True][0]!r} runs to a time and {names[False][0]!r} makes steps; put them in two "
            "grids, each with its `optimizer`"
        ]
    given = [key for key in DISCRETE if key in grid.model_fields_set]
    mistakes = [f"{where}: a flow takes no {', '.join(given)}; its horizon is `time`"] if given else []
    if grid.time is None:
        mistakes.append(f"{where}.time is missing: the horizon of the flow {names[True][0]!r}")
    return mistakes


def _setting(n: int, optimizer: Optimizer, cell: dict) -> Setting:
    """The effective values of a cell of a grid for n rows. Errors: ``InputError`` listing every mistake."""
    names = ("until_log_loss", "loss", "per_octave")
    if isinstance(optimizer, Flow):
        return resolve_flow(n, [optimizer], time=cell["time"], **{key: cell.get(key) for key in names})
    axes = {key: cell.get(key) for key in ("steps", "epochs", "seed", "order", "remainder", *names[:2])}
    found = resolve(n, batch=cell["batch"], per_octave=cell.get("per_octave", 8), **axes)
    return replace(found, after=cell.get("after"))
