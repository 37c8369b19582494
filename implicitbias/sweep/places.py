"""Where a study may write: in its results folder, and nowhere that its own data come from."""

from pathlib import Path

from implicitbias.errors import InputError


def default_folder(study: str | Path) -> Path:
    """results/ and the name of the study file. Errors: ``InputError`` for a file whose name is no name of a folder.

    >>> default_folder("studies/batch_size.toml").as_posix()
    'results/batch_size'
    """
    stem = Path(study).stem
    if stem in ("", ".", ".."):  # of "...toml": results/.. would be the working directory
        raise InputError(f"the study file {study} has no name to call a folder by; choose one with --out")
    return Path("results") / stem


def check_apart(folder: str | Path, files: list[str]) -> None:
    """Refuse a results folder that holds the study's own data: tables, parts and figures are replaced there.

    Arguments
        folder  the results folder
        files   the paths of the data files that the study names
    """
    home = Path(folder).resolve()
    inside = [file for file in dict.fromkeys(files) if Path(file).resolve().is_relative_to(home)]
    if inside:
        raise InputError(
            f"the data file {file} lies in the results folder {folder}, where files are replaced and deleted; "
            "move it, or choose another --out"
            for file in inside
        )
