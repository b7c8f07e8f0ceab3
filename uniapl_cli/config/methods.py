"""The packaged methods by name. Imports little, so that `--help` can list them."""

from __future__ import annotations

from pathlib import Path

from uniapl_cli.errors import ConfigError, UniAPLError, unknown

METHODS = Path(__file__).parent.parent / "methods"
PARTS = METHODS / "parts"
POLAR = "polar"  # the method of `uniapl pretrain-polar`


def packaged() -> dict[str, Path]:
    """Return the methods that `uniapl train` knows by name, and their files."""
    return {path.stem: path for path in sorted(METHODS.glob("*.yaml")) if path.stem != POLAR}


def method_file(method: str) -> Path:
    """Return the YAML of a packaged method, or of the user's own. Raises UniAPLError."""
    if method.endswith((".yaml", ".yml")):
        return Path(method)
    known = packaged()
    if method not in known:
        error: UniAPLError = unknown("method", method, known)
        error.advice += ", or the path of a method's YAML file"
        raise error
    return known[method]


def part_file(name: str) -> Path:
    """Return the YAML of a packaged part of methods. Raises ConfigError."""
    known = {path.stem: path for path in PARTS.glob("*.yaml")}
    if name not in known:
        error = unknown("part of methods", name, known, ConfigError)
        error.advice += f", or a path: ./{name}, {name}.yaml"
        raise error
    return known[name]


def polar_method() -> str:
    """Return the file of the method that trains a discriminator."""
    return str(METHODS / f"{POLAR}.yaml")
