"""What a command says while it works, and what it hands over: logs, watching, copies, completion."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from commands import refused, squeezed

from implicitbias.study.keys import Study
from implicitbias.study.shipped import shipped
from implicitbias.sweep.run import run_study
from implicitbias.terminal.screen import Log

HOME = Path(__file__).parents[1]


def test_a_log_has_a_line_a_minute():
    now, said = [0.0], []
    log = Log(said.append, lambda: now[0])
    for second in range(601):
        now[0] = float(second)
        log("planning" if second < 15 else "running", max(second - 15, 0), 0 if second < 15 else 1000)
    assert len(said) == 10
    assert said[0] == "running 45 of 1000, 60 s, about 16 min left"
    assert said[-1] == "running 585 of 1000, 10 min, about 7 min left"


def test_status_watches_until_every_run_is_there(study, call, no_report, monkeypatch):
    assert call("run", study, "--jobs", 1, "--shard", "1/2")[0] == 0
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            run_study(study, "results/tiny", jobs=1)

    monkeypatch.setattr("implicitbias.cli.time.sleep", sleep)
    code, out, _ = call("status", "results/tiny", "--watch", "5")
    assert code == 0 and looks == [5.0, 5.0]
    missing = [int(words.split()[0]) for words in out.split("runs done, ")[1:]]
    assert missing[0] == missing[1] > 0 and missing[2] == 0
    refused(call("status", "results/tiny", "--watch", "0"), "--watch takes the seconds between two looks")


def test_check_of_a_folder_takes_no_out(study, call, no_report):
    assert call("run", study, "--jobs", 1)[0] == 0
    refused(call("check", "results/tiny", "--out", "elsewhere"), "results/tiny is a results folder itself")


def test_measures_of_claims_are_what_a_run_ends_with(study, call, no_report):
    text = study.read_text().replace('"cos_l2"', '"1 - ratio_l2"')
    study.write_text(text)
    out = squeezed(call("run", study, "--jobs", 1)[1])
    assert "1 - ratio_l2, mean over seeds optimizer batch 1 batch 2" in out
    # without claims, where runs go
    study.write_text(text[: text.index("[[claim]]")])
    out = squeezed(call("run", study, "--jobs", 1)[1])
    assert "inc_cos_l2, mean over seeds" in out and "inc_cos_linf, mean over seeds" in out


def test_what_does_not_vary_is_in_no_table(study, call, no_report):
    out = squeezed(call("run", study, "--jobs", 1, "--set", "grid.batch=[1]", "--set", "data.gaussian.seed=[0]")[1])
    assert "cos_l2, mean over seeds optimizer cos_l2 sgd 0." in out


def test_copies_of_shipped_studies_run(tmp_path, call):
    assert {"batch_size", "rates", "plants.csv"} <= set(shipped())
    for name, path in shipped().items():
        if path.suffix == ".toml":
            Study(**tomllib.loads(path.read_text(encoding="utf-8")))
            refused(call("run", name), f"`implicitbias copy {name}` writes the one that comes with the package")
    code, out, _ = call("copy", "batch_size")
    assert code == 0 and out == "batch_size.toml: run it with `implicitbias run batch_size.toml`\n"
    assert Path("batch_size.toml").read_bytes() == (HOME / "studies" / "batch_size.toml").read_bytes()
    refused(call("copy", "batch_size"), "batch_size.toml is there already; choose another name")
    refused(call("run", "batch_size"), "did you mean batch_size.toml?")
    refused(call("copy", "batchsize"), "did you mean 'batch_size'?")
    assert call("copy", "plants.csv", "own.csv")[0] == 0 and Path("own.csv").is_file()
    names = ", ".join(name for name, path in shipped().items() if path.suffix == ".toml")
    assert f"comes with the package: {names}" in squeezed(call("list")[1])


def test_the_wheel_has_the_studies():
    project = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {"studies": "implicitbias/studies"}


@pytest.mark.parametrize("words, found", [("re", {"report", "reproduce"}), ("sta", {"status"})])
def test_shells_complete_commands(words, found, tmp_path):
    environment = {
        **os.environ, "_IMPLICITBIAS_COMPLETE": "complete_bash", "COMP_CWORD": "1",
        "COMP_WORDS": f"implicitbias {words}", "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    script = "import sys; sys.argv[0] = 'implicitbias'; from implicitbias.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert set(done.stdout.split()) == found
