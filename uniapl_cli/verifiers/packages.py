"""Packages that the code of graders imports in the sandbox, which only an extra brings."""

from __future__ import annotations

from collections.abc import Iterable

from uniapl_cli.errors import ConfigError
from uniapl_cli.types import Constraint
from uniapl_cli.verifiers.needs import INSTALL, installed
from uniapl_cli.verifiers.registry import verifiers


def packages_of(id: str) -> tuple[str, ...]:
    """Return what the code of a verifier's trials may import, beside what the user allows."""
    return tuple(verifiers[id].traits.get("packages", ()))


def check_packages(constraints: Iterable[Constraint]) -> None:
    """Refuse constraints that cannot be judged for want of a package. Raises ConfigError."""
    for id in dict.fromkeys(constraint.id for constraint in constraints):
        for package in packages_of(id):
            if not installed(package):
                raise ConfigError(
                    f"'{id}' needs the package '{package}', which is not installed",
                    f"Type: {INSTALL}",
                    got=package,
                )
