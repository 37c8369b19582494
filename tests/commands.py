"""What tests of the command line share: a tiny study, and what a refusal looks like."""

STUDY = """
title = "Tiny [study]"
question = "Which way?"
sources = ["A. Author 2020"]
[data.gaussian]
n = 4
d = 6
seed = [0, 1]
[optimizer.sgd]
lr = 0.1
[optimizer.adam]
lr = { eta = 0.1, a = 0.5 }
[[grid]]
batch = [1, 2]
steps = 100
[[claim]]
says = "It goes [somewhere]"
source = "arXiv:0000.00000"
measure = "cos_l2"
at_least = 0.1
limit = false
[[claim]]
says = "It is a miracle"
source = "nobody"
measure = "residual"
where = { batch = 2 }
at_least = 0.1
limit = false
"""


def squeezed(text):
    """The words, however the lines are broken."""
    return " ".join(text.split())


def refused(answer, *sentences):
    """Exit code 2, one line `error: ...` for each mistake on stderr, and nothing else."""
    code, out, err = answer
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == len(sentences), err
    for line, sentence in zip(lines, sentences):
        assert line.startswith("error: ")
        assert sentence in line
    assert "Traceback" not in err
