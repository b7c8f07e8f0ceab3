"""The list of contradictions as a text: docs/paper-numbers.md, LaTeX and CSV."""

from __future__ import annotations

from collections.abc import Iterator

from uniapl_cli.published.claims import claims
from uniapl_cli.published.contradictions import contradictions, of_kind, rows
from uniapl_cli.published.digits import fits
from uniapl_cli.published.finding import KINDS, MILD
from uniapl_cli.published.formats import csv_rows, latex_rows, markdown_rows, markdown_text
from uniapl_cli.published.table import detailed, tables

_HEAD = """\
# The paper's numbers

What in the paper's Tables 2 to 12 contradicts itself, found by program. This page is made by

```bash
uniapl report --contradictions --format markdown >docs/paper-numbers.md
```

A mean is that of its benchmarks as they are printed: a domain's, and for Avg of all twelve. It is
at odds with a printed mean where the two differ by more than rounding explains: half a unit of the
last decimal of each figure. `uniapl report --table 7` prints a table with the numbers of this list
at the figures that they put in doubt.

"""
_SIZES = """\
## Of how many questions the figures are shares

k/n: figures that a whole number k of right answers to n questions gives, of all columns of Tables 7
to 12. By chance: how many would fit if their digits were drawn at random. MMLU, MMLU-Pro and CMMLU
have too many questions to tell, Multi-IF is a mean of rates.

"""
_CLAIMS = """\
## Claims that the tables bear out

Each in our words. "Comparable" and "about" are taken as within 1.00. A claim is held against the
printed figures, and against those that the runs' benchmarks give. Behind a gain within two standard
errors stands its error: that of two independent samples of questions, of one run each; on the same
questions it is smaller, over seeds larger.

"""
_RUNS = """\
## The runs

`uniapl report NAME=RESULTS --table 2` puts results beside the paper's row of that name; without a
name they stand at the table's end.

Imitates: whose responses SFT is on. Compares with: whose the discriminator compares a rollout with.
The chat models' SFT is on ground truth because section 4.1 says so; docs/paper.md has what speaks
against it.

Table 5 says which columns of Tables 10 and 12 its rows are, and Table 4's are labelled as those of
Table 12. Table 6 says nothing: its rows are taken for the columns of Tables 11 and 12 whose average
and English they have.

"""
_RUN_COLUMNS = ["name", "model", "method", "imitates", "compares with", "lambda", "tables"]
_ANSWERS = {"": "", "teacher": "the teacher's", "gt": "ground truth"}
_COLUMNS = ["", "where", "what"]


def markdown() -> str:
    """Return docs/paper-numbers.md."""
    return _HEAD + "\n".join(_sections())


def latex() -> str:
    """Return the findings as a LaTeX tabular."""
    columns, lines = rows()
    return latex_rows(columns, lines, r"rllp{0.6\textwidth}")


def csv_text() -> str:
    """Return the findings as CSV."""
    columns = ["number", "kind", "where", "what", "printed", "given"]
    found = enumerate(contradictions(), 1)
    lines = [[str(n), f.kind, f.where, f.what, f.printed, f.given] for n, f in found]
    return csv_rows(columns, lines)


def _sections() -> Iterator[str]:
    for kind, what in KINDS.items():
        found = of_kind(kind)
        mild = " (an oddity, not a contradiction)" if kind in MILD else ""
        lines = [[str(number), finding.where, finding.what] for number, finding in found]
        text = markdown_rows(_COLUMNS, lines) if lines else "None.\n"
        yield f"## {markdown_text(what)}{mild}\n\n{text}"
    label = detailed()[0].label
    shares = [
        [
            label(fit.benchmark),
            f"k/{fit.questions}",
            fit.of,
            f"{fit.fitting} of {fit.figures}",
            f"{fit.by_chance * fit.figures:.0f}",
        ]
        for fit in fits()
    ]
    columns = ["benchmark", "k/n", "questions", "figures", "by chance"]
    yield f"{_SIZES}{markdown_rows(columns, shares)}"
    held = [[c.where, c.claim, "; ".join(c.thin)] for c in claims() if not c.against]
    yield f"{_CLAIMS}{markdown_rows(['where', 'claim', 'within two standard errors'], held)}"
    yield f"{_RUNS}{markdown_rows(_RUN_COLUMNS, _runs())}"


def _runs() -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for one in tables():
        for run in one.runs:
            answers = [_ANSWERS[run.imitates], _ANSWERS[run.compares]]
            known = [run.run, run.model, run.method, *answers, run.weight, ""]
            line = found.setdefault(run.run, known)
            line[-1] = f"{line[-1]}, {one.number}" if line[-1] else str(one.number)
    return list(found.values())
