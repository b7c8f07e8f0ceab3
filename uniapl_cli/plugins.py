"""Other packages' objectives, scores, verifiers and so on: installed ones that ask to be loaded."""

from __future__ import annotations

from uniapl_cli.errors import UniAPLError

GROUP = "uniapl"


def load_plugins() -> list[str]:
    """Import what installed packages name in the entry-point group `uniapl`; return their names.

    Importing is all: their decorated definitions register themselves. A config can choose among
    what is registered, and never name code. Raises UniAPLError with the package that is at fault.
    """
    from importlib.metadata import entry_points  # --help needs none of it

    loaded = []
    for point in sorted(entry_points(group=GROUP)):
        try:
            point.load()
        except Exception as error:  # noqa: BLE001  anything may go wrong in a package of others
            package = point.dist.name if point.dist is not None else point.value
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise UniAPLError(
                f"plug-in '{point.name}' of package '{package}' cannot be loaded: {reason}. "
                f"Mend it, or: pip uninstall {package}"
            ) from error
        loaded.append(point.name)
    return loaded
