"""What tests of studies share."""

import pytest

from implicitbias.errors import InputError
from implicitbias.study.plan import plan


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

    def of(text, settings=()):
        path = tmp_path / "study.toml"
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            plan(path, settings)
        return [mistake.removeprefix("study.toml: ") for mistake in caught.value.mistakes]

    return of
