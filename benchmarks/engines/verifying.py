"""This project's verification of rows: the verifiers here, what needs it in the sandbox."""

from __future__ import annotations

from typing import Any

from uniapl_cli.verifiers import Case, Judge, constraints


class Verifying:
    def __init__(self, job: dict[str, Any]) -> None:
        self.cases = [
            Case(row["response"], constraints(row["ids"], row["kwargs"])) for row in job["rows"]
        ]
        self.judge = Judge()
        if job.get("warm"):
            self.judge(self.cases[:1])

    def __call__(self) -> dict[str, Any]:
        verdicts = self.judge(self.cases)
        return {"value": [sum(map(sum, (getattr(v, way) for v in verdicts))) for way in WAYS]}


WAYS = ("strict", "loose")


def load(job: dict[str, Any]) -> Verifying:
    return Verifying(job)
