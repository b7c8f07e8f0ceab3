"""Other people's objectives, rewards, verifiers and so on: installed packages and single files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb

from uniapl_cli.errors import UniAPLError

GROUP = "uniapl"
# In front of the names under which a user's own files are imported.
PREFIX = "uniapl_plugin_"


def load_plugins(files: Sequence[Path] = ()) -> list[str]:
    """Import what installed packages name in the entry-point group `uniapl`, then the user's files.

    Importing is all: their decorated definitions register themselves. A config chooses among the
    registered names and never names code. A plug-in that is loaded already is not loaded again.
    Returns the names of the entry points and the files; raises UniAPLError with the one at fault.
    """
    loaded = _load_installed()
    for file in files:
        _load_file(Path(file).resolve(), str(file))
        loaded.append(str(file))
    return loaded


def loaded_files() -> list[Path]:
    """Return the user's files in the order of loading: another process must load them too."""
    modules = [module for name, module in sys.modules.items() if name.startswith(PREFIX)]
    return [Path(str(module.__file__)) for module in modules]


def _load_installed() -> list[str]:
    from importlib.metadata import entry_points  # --help needs none of it

    loaded = []
    for point in sorted(entry_points(group=GROUP)):
        try:
            point.load()
        except Exception as error:  # noqa: BLE001  anything may go wrong in a package of others
            package = point.dist.name if point.dist is not None else point.value
            raise UniAPLError(
                f"plug-in '{point.name}' of package '{package}' cannot be loaded: {_reason(error)}",
                f"Mend it, or: pip uninstall {package}",
                got=package,
            ) from error
        loaded.append(point.name)
    return loaded


def _load_file(path: Path, shown: str) -> None:
    """Load a file; messages call it `shown`. Raises UniAPLError."""
    _check_file(path, shown)
    name = f"{PREFIX}{path.stem}"
    if name in sys.modules:
        other = sys.modules[name].__file__
        if other != str(path):
            advice = "Rename one: the names of plug-ins' files must differ"
            raise UniAPLError(
                f"there is another plug-in of this name, {other}", advice, where=shown
            )
        return
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001  anything may go wrong in a user's file
        del sys.modules[name]
        message = f"the plug-in cannot be loaded: {_reason(error)}"
        raise UniAPLError(message, where=_where(path, shown, error)) from error


def _check_file(path: Path, shown: str) -> None:
    """Raise UniAPLError for a path that is no Python file."""
    if path.is_dir():
        raise UniAPLError("the plug-in is a folder, expected a Python file", where=shown)
    if not path.exists():
        raise UniAPLError("there is no such plug-in file", where=shown)
    if path.suffix != ".py":
        problem = "a plug-in is a Python file: its name must end with .py"
        raise UniAPLError(problem, where=shown, got=path.suffix)


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}"
    first = (str(error) or "no reason given").splitlines()[0]
    return f"{type(error).__name__}: {first}"


def _where(path: Path, shown: str, error: BaseException) -> str:
    """Return `file:line` of the file's last line that ran, or that is no Python."""
    lines = [
        frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    return f"{shown}:{lines[-1]}" if lines and lines[-1] else shown
