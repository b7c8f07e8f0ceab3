"""math-verify, called in this process as its page shows; a minute's alarm a call is its default."""

from __future__ import annotations

import logging
from typing import Any

from math_verify import parse, verify


class Alone:
    def __init__(self, job: dict[str, Any]) -> None:
        logging.disable()
        self.rows = [(row["kwargs"][0]["answer"], row["response"]) for row in job["rows"]]
        verify(parse("$1$"), parse("$1$"))

    def __call__(self) -> dict[str, Any]:
        found = sum(verify(parse(f"${gold}$"), parse(text)) for gold, text in self.rows)
        return {"value": [found, found]}


def load(job: dict[str, Any]) -> Alone:
    return Alone(job)
