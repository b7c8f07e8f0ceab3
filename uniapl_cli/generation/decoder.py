"""Decodes samples, many at a time: rows join as others finish, within a budget."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from uniapl_cli.generation.rows import Rows
from uniapl_cli.generation.samples import Lengths, Sample

# Share of columns that there are beyond those needed now.
ROOM_SHARE = 0.125
# Share of the rows that may be idle before others join: each time costs a pass over their prompts.
IDLE_SHARE = 0.125


class Decoder:
    """Decodes samples in `rows`, at most `most_rows` at a time.

    budget: rows times columns that there may be; one row is always let in. look: tokens between two
    looks at which rows have finished, each of which waits for the device. room: columns that there
    are beyond those needed, at the least; with fewer, slabs are copied more often.
    """

    def __init__(
        self,
        rows: Rows,
        samples: Iterable[Sample],
        *,
        budget: int,
        most_rows: int,
        look: int,
        room: int,
    ) -> None:
        self.rows, self.budget, self.most_rows = rows, budget, most_rows
        self.look, self.room = look, room
        # The longest first: begun last, they would be decoded alone in the end.
        order = sorted(samples, key=lambda s: (s.limit, s.length), reverse=True)
        self.waiting = deque(order)
        self.lengths = Lengths(max((sample.limit for sample in order), default=1))
        self.steps = self._returned = 0
        self._to_run = False

    @property
    def ended(self) -> bool:
        """Whether all samples have finished."""
        return not self.waiting and not self.rows.busy

    def advance(self, seconds: float) -> list[Sample]:
        """Decode until some samples have finished, or for so long; return those that have."""
        finished: list[Sample] = []
        until = time.monotonic() + seconds
        while not self.ended:
            if self._to_run:  # tokens that nobody has to wait for: the answers are out
                if self.rows.idle and not self.waiting and self.rows.graph is None:
                    self.rows.drop_idle()
                self.rows.forward()
            if full := self.rows.cache.column == self.rows.cache.capacity:
                finished = self._finished()
            if not self.ended:
                self._refill(full)
                self.rows.draw()
                self.steps, self._to_run = self.steps + 1, True
            if self.steps % self.look == 0:
                finished += self._finished()
            if finished or time.monotonic() > until:
                break
        return finished

    @property
    def drawn(self) -> int:
        """Tokens that have been drawn."""
        given_up = sum(len(sample.tokens) for sample in self.waiting)
        return self._returned + given_up + sum(now for now, _ in self.rows.under_way())

    def left(self) -> float:
        """Return how many tokens are likely to be drawn until all samples have finished."""
        under_way = self.rows.under_way()
        waiting = [(len(sample.tokens), sample.limit) for sample in self.waiting]
        return self.lengths.left([now for now, _ in under_way], [*under_way, *waiting])

    def _finished(self) -> list[Sample]:
        finished = self.rows.finished()
        for sample in finished:
            self.lengths.add(len(sample.tokens), stopped=sample.stopped)
            self._returned += len(sample.tokens)
        return finished

    def _refill(self, full: bool) -> None:
        """Have samples join where rows are idle, and see that there is another column."""
        rows, idle = self.rows, self.rows.idle
        many = len(idle) > IDLE_SHARE * len(rows.samples) or not rows.samples
        joining = [self.waiting[number] for number in range(min(len(idle), len(self.waiting)))]
        fit = all(sample.length <= rows.cache.column for sample in joining)
        if full or (many and (not joining or not fit or not rows.busy)):
            self._rearrange()
        elif many:
            for _ in joining:
                self.waiting.popleft()
            rows.admit(idle[: len(joining)], joining)

    def _rearrange(self) -> None:
        """Keep the rows that are busy, without the columns that none of them sees, and add others.

        Where the budget is full, those that have come least far are given up, and wait again.
        """
        rows = self.rows
        kept, waited = rows.busy, len(self.waiting)
        while len(kept) > 1 and len(kept) * self._with_room(rows.columns(kept)) > self.budget:
            row = min(kept, key=lambda row: rows.columns([row]))
            kept.remove(row)
            self.waiting.extendleft(rows.release([row]))
        column = rows.columns(kept)
        joining = [] if len(self.waiting) > waited else self._joining(len(kept), column)
        column = max([column, *(sample.length for sample in joining)])
        rows.arrange(kept, len(joining), column, self._with_room(column))
        if joining:
            rows.admit(range(len(kept), len(kept) + len(joining)), joining)

    def _joining(self, busy: int, column: int) -> list[Sample]:
        """Take as many samples as there is room for beside `busy` rows, the longest in front."""
        joining: list[Sample] = []
        while self.waiting and busy + len(joining) < self.most_rows:
            first = self.waiting[0]
            column = max(column, first.length)
            to_come = self.lengths.left([], [(len(first.tokens), first.limit)])
            columns = max(self._with_room(column), column + to_come)
            if (busy + len(joining) + 1) * columns > self.budget and busy + len(joining) > 0:
                break
            joining.append(self.waiting.popleft())
        return sorted(joining, key=lambda sample: -sample.length)

    def _with_room(self, columns: int) -> int:
        return columns + max(self.room, int(ROOM_SHARE * columns))
