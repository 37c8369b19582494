"""Studies: a TOML file, its expansion into runs, their execution, and the verdicts on its claims."""

from implicitbias.study.run import run_study

__all__ = ["run_study"]
