"""Studies: a TOML file, its expansion into runs, and the verdicts on its claims."""
