"""A judge of several ranks: each judges its share of the answers, and all have all verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from uniapl_cli.ranks import Ranks
from uniapl_cli.types import Verdict
from uniapl_cli.verifiers.judging import Case, Judge


class SharedJudge(Judge):
    """Judges as `inner` does; all ranks bring the same cases."""

    def __init__(self, inner: Judge, ranks: Ranks) -> None:
        super().__init__(inner.start)
        self.inner, self.ranks = inner, ranks

    def __call__(self, cases: Sequence[Case], *, loose: bool = True) -> list[Verdict]:
        """Return a verdict a case, in their order."""
        mine = self.inner(self.ranks.share(cases), loose=loose)
        return self.ranks.shared(self.ranks.gather(mine, "judging"))

    def close(self) -> None:
        """Stop the sandboxes that were started."""
        self.inner.close()
