"""Everything that can be wrong with a claim in a study file: a sentence for each mistake, with its place."""

import pytest
from good_study import changed

SINGLE = [
    ('"cos_l2"', '"cos_l3"', "claim.0.measure: unknown measure 'cos_l3'; did you mean 'cos_l2'?"),
    ('"cos_l2"', '"cos_l2 - cos_l3"', "claim.0.measure: unknown measure 'cos_l3'; did you mean 'cos_l2'?"),
    ('"cos_l2"', '"cos_l2 - cos_l1 - lr"',
     "claim.0.measure must be a column or the difference of two, not 'cos_l2 - c"),
    ('"cos_l2"', '"cos_l2 - direction"\nacross = "batch"', "claim.0.measure must be a column or the difference of two"),
    ('"cos_l2"', '"status"', "claim.0.measure: unknown measure 'status'"),
    ('"cos_l2"', '"cos_l2"\nthan = { optimiser = "sgd" }', "claim.0.than.where: unknown column 'optimiser'; did you"),
    ('"cos_l2"', '"cos_l2"\nthan = { batch = 1 }\nlimit = true',
     "claim.0: than compares the ends of runs: leave out limit"),
    ('"cos_l2"', '"direction"', "claim.0.measure: unknown measure 'direction'"),  # needs across
    ('optimizer = "sgd", ', 'optimiser = "sgd", ',
     "claim.0.where: unknown column 'optimiser'; did you mean 'optimizer'?"),
    ('"data.n" = 4', "w = 4", "claim.0.where: unknown column 'w'"),
    ('"data.n" = 4', "data.n = 4",
     "claim.0.where.data must be a value or a list, not {'n': 4}; a parameter of the data is written \"data.NAME\""),
    ('"cos_l2"', '"cos_l2"\nacross = "bach"', "claim.0.across: unknown column 'bach'; did you mean 'batch'?"),
    ('"cos_l2"', '"cos_l2"\nacross = "xyz"', "claim.0.across: unknown column 'xyz'; use one of 'after', 'averaging', "),
    ('"cos_l2"', '"cos_l2"\nover = "median"', "claim.0.over must be 'each' or 'mean', not 'median'"),
    ('"cos_l2"', '"gamma_l2"\nlimit = true', "claim.0.limit: 'gamma_l2' has no value at t/2 to say which"),
    ('"cos_l2"', '"1 - 2"', "claim.0.measure must be a column or the difference of two, not '1 - 2'"),
    ('"cos_l2"', '"1 - ratio"', "claim.0.measure: unknown measure 'ratio'"),
    ('"cos_l2"', '"-direction"\nacross = "batch"', "claim.0.measure must be a column or the difference of two"),
    ('"cos_l2"', '"nan - cos_l2"', "claim.0.measure: unknown measure 'nan'"),
    ('"cos_l2"', '"cos_l2"\nagainst = "stpe"', "claim.0.against: unknown column 'stpe'; did you mean 'step'?"),
    ('"cos_l2"', '"cos_l2"\nagainst = "log stpe"', "claim.0.against: unknown column 'stpe'; did you mean 'step'?"),
    ('"cos_l2"', '"cos_l2"\nagainst = "gamma_l2"', "claim.0.against: unknown column 'gamma_l2'"),
    ('"cos_l2"', '"gamma_l2"\nagainst = "step"', "claim.0.measure: 'gamma_l2' has no curve"),
    ('"cos_l2"', '"cos_l2"\nagainst = "log step"\nlaw = "exponential"',
     "claim.0.law: an exponential law against 'log step' is a power law against 'step'"),
    ('"cos_l2"', '"cos_l2"\nagainst = "step"\nlaw = "linear"',
     "claim.0.law must be 'power' or 'exponential', not 'linear'"),
    ('"cos_l2"', '"cos_l2"\nlaw = "power"', "claim.0.law: goes with against"),
    ('"cos_l2"', '"cos_l2"\noctaves = 3', "claim.0.octaves: goes with against"),
    ('"cos_l2"', '"cos_l2"\nabove = 0', "claim.0.above: goes with against"),
    ('"cos_l2"', '"cos_l2"\nagainst = "step"\noctaves = 0', "claim.0.octaves must be >= 1, but is 0"),
    ('"cos_l2"', '"cos_l2"\nagainst = "step"\noctaves = "six"', "claim.0.octaves must be a valid number or a valid"),
    ('"cos_l2"', '"cos_l2"\nagainst = "step"\nabove = -1e-9', "claim.0.above must be >= 0, but is -1e-09"),
    ('"cos_l2"', '"cos_l2"\nagainst = "step"\nlimit = true', "claim.0.limit: a slope is about the limit already"),
    ('"cos_l2"', '"cos_l2"\nagainst = "stp"\nacross = "batch"', "claim.0.against: unknown column 'stp'; did you"),
    ('"cos_l2"', '"cos_l2"\nagainst = "a - b - c"\nacross = "batch"', "claim.0.against must be a column or the differ"),
    ('"cos_l2"', '"cos_l2"\nagainst = "batch"\nacross = "batch"\noctaves = 3', "claim.0.octaves: goes with the slope"),
    ('"cos_l2"', '"direction"\nagainst = "batch"\nacross = "batch"', "claim.0.measure: 'direction' is no number"),
    ('"cos_l2"', '"cos_l2"\nwidth = 0.1', "claim.0: width is one of the axis that across names"),
    ('"cos_l2"', '"cos_l2"\nacross = "lr_eta"\nagainst = "lr_eta"\nwidth = 0.1', "claim.0: width is one of the axis"),
    ('"cos_l2"', '"cos_l2"\nacross = "lr_eta"\nwidth = 0.0', "claim.0.width must be greater than 0, not 0.0"),
    ('"cos_l2"', '"cos_l2"\nacross = "order"\nwidth = 0.1', "claim.0.width: 'order' has no decades"),
    ('"cos_l2"', '"direction"\nacross = "batch"\nwidth = 0.1', "claim.0.measure: 'direction' is no number, which has"),
    ('"cos_l2"', '"cos_l2"\nagianst = "step"', "claim.0.agianst: unknown key 'agianst'; did you mean 'against'?"),
    ("at_least = 0.5", "equal = 0.5", "claim.0: equal and within go together"),
    ("at_least = 0.5", "at_least = 0.5\nwithin = 0.1", "claim.0: equal and within go together"),
    ("at_least = 0.5", "equal = 0.5\nwithin = -0.1", "claim.0: within must be >= 0, but is -0.1"),
    ("at_least = 0.5", "at_least = 0.5\nat_most = 1", "claim.0: a claim needs exactly one of at_least, at_most, equal"),
    ("at_least = 0.5", "", "claim.0: a claim needs exactly one of at_least, at_most, equal"),
    ("at_least = 0.5", "at_least = nan", "claim.0.at_least must be a finite number or a valid integer, not nan"),
    ("at_least = 0.5", "at_most = inf", "claim.0.at_most must be a finite number or a valid integer, not inf"),
]  # fmt: skip


@pytest.mark.parametrize("old, new, sentence", SINGLE, ids=[case[2][:60] for case in SINGLE])
def test_a_mistake_is_one_sentence_with_its_place(mistakes, old, new, sentence):
    found = mistakes(changed((old, new)))
    assert len(found) == 1
    assert found[0].startswith(sentence)
    assert "\n" not in found[0]


def test_all_mistakes_of_a_rate_come_at_once(mistakes):
    keys = 'against = "log stp"\nlaw = "exponential"\noctaves = 0.5\nabove = -1\nlimit = true'
    found = mistakes(changed(('"cos_l2"', f'"1 - rato_l2"\n{keys}')))
    starts = ["measure: unknown", "against: unknown", "law: an", "octaves must", "above must", "limit: a"]
    assert len(found) == len(starts)
    assert all(mistake.startswith(f"claim.0.{start}") for mistake, start in zip(found, starts))
