"""An experiment of uniapl's schema: loaded, validated and checked against itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from uniapl_cli.config.consistency import check
from uniapl_cli.config.include import read
from uniapl_cli.config.load import load
from uniapl_cli.config.methods import method_file, packaged
from uniapl_cli.config.override import parse
from uniapl_cli.config.schema import Config
from uniapl_cli.config.secrets import secret_texts
from uniapl_cli.errors import UniAPLError, keep_secret

DEFAULTS = Path(__file__).parent / "defaults.yaml"


def load_config(
    path: str | Path | None = None, overrides: Sequence[str] = (), method: str | None = None
) -> Config:
    """Return the experiment: defaults < method < includes < the file < `key=value` overrides.

    `path` is a YAML file, or `tiny:NAME` for one that ships with the package. `method` is a
    packaged method or the path of a method's own YAML file. Raises UniAPLError for the first
    mistake.

    >>> config = load_config("tiny:unified", ["optim.lr=0.001"], method="unified")
    >>> config.method, config.optim.lr.value
    ('unified', 0.001)
    """
    file = None if path is None else Path(path)
    equation = named_method(file, overrides) if method is None else method_file(method)
    layers = [DEFAULTS] if equation is None else [DEFAULTS, equation]
    fixed = {} if method is None or equation is None else {"method": equation.stem}
    try:
        config = load(file, overrides, schema=Config, layers=layers, fixed=fixed)
        keep_secret(secret_texts(config, config))
        check(config, equation, packaged())
    except UniAPLError as error:
        if equation is None and str(error.key).startswith("terms."):
            advice = f"{error.advice.rstrip('.')}. " if error.advice else ""
            error.advice = f"{advice}If it amends a packaged method, name that: method=NAME"
        raise
    return config


def named_method(file: Path | None, overrides: Sequence[str]) -> Path | None:
    """Return the packaged method that the key `method` names, for verbs that take none."""
    documents = [*read([file] if file else []), *map(parse, overrides)]
    pairs = [pair for document in documents for pair in document.root.value]
    names = [str(node.value) for key, node in pairs if key.value == "method"]
    return packaged().get(names[-1]) if names else None
