"""Shared settings: hypothesis without deadlines (compilation trips them) and without luck; the command line."""

import sys
from pathlib import Path

import pytest
from commands import STUDY
from hypothesis import settings

from implicitbias import cli

settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call the command line in this process, in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def of(*arguments):
        monkeypatch.setattr(sys, "argv", ["implicitbias", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return of


@pytest.fixture
def no_report(monkeypatch):
    """The page is not what these tests are about."""
    monkeypatch.setattr("implicitbias.report.write_report", lambda folder: Path(folder) / "report.html")


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def write(tmp_path):
    """Write a study file: its path."""

    def to(text, name="study.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return to


@pytest.fixture
def mistakes(tmp_path):
    """The mistakes found in a study's text, without the name of the file."""

    from implicitbias.errors import InputError
    from implicitbias.study.plan import plan

    def of(text, settings=()):
        path = tmp_path / "study.toml"
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            plan(path, settings)
        return [mistake.removeprefix("study.toml: ") for mistake in caught.value.mistakes]

    return of
