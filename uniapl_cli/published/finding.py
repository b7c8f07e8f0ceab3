"""What is found in the published tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "average", "domains", "mean", "elsewhere", "side", "repeat", "label", "count", "size", "claim",
    "chance", "collapse", "last digit",
]  # fmt: skip

KINDS: dict[Kind, str] = {
    "average": "An average that the cells of its own column do not give",
    "domains": "An average that the means in its own row do not give",
    "mean": "A mean that the run's benchmarks in another table do not give",
    "elsewhere": "One figure of one run, printed differently in two tables",
    "side": "Where means and benchmarks disagree: which of them gives the printed average",
    "repeat": "Neighbouring cells that repeat another run's",
    "label": "A column that is wholly another run's than its label says",
    "count": "A share that no number of right answers gives",
    "size": "A benchmark whose shares are those of another number of questions",
    "claim": "A claim of the text that the tables do not bear out",
    "chance": "A score below chance by more than two standard errors",
    "collapse": "A benchmark that falls by more than half where another of its domain does not",
    "last digit": "A last digit that is missing, or that rounding half up or to even does not give",
}
# Oddities, rather than contradictions: rounding may explain them, or how answers were graded.
MILD: tuple[Kind, ...] = ("chance", "collapse", "last digit")

# A table, a run in it, a measure.
Place = tuple[int, str, str]


@dataclass(frozen=True)
class Finding:
    """A contradiction, in one line, and the cells of the tables that it puts in doubt.

    where: the tables, or the part of the text. printed and given: what stands there, and what the
    other cells give; empty where there is no one such figure.
    """

    kind: Kind
    where: str
    what: str
    places: tuple[Place, ...] = ()
    printed: str = ""
    given: str = ""
