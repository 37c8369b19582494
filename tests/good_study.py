"""A study file without a mistake, to be spoilt."""

GOOD = """
title = "t"
question = "q"
sources = ["s"]
[data.gaussian]
n = 4
d = 6
[optimizer.sgd]
lr = 0.1
momentum = [0.0, 0.9]
[optimizer.adam]
lr = { eta = 0.1, a = 0.5 }
[[grid]]
batch = [1, 2]
steps = 50
[[grid]]
order = "full"
epochs = 2
[[claim]]
says = "a"
source = "b"
measure = "cos_l2"
where = { optimizer = "sgd", "data.n" = 4 }
at_least = 0.5
"""


def changed(*pairs):
    """Its text with the first of each pair, which is there once, replaced by the second."""
    text = GOOD
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text
