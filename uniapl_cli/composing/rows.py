"""Draws rows: a question and instructions that one answer can follow together."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from uniapl_cli.composing.kind import Deck, Kind, Need, Unfit
from uniapl_cli.composing.questions import Question, own_question
from uniapl_cli.composing.together import companions, exclusive, satisfiable
from uniapl_cli.errors import DataError
from uniapl_cli.seeding import derive

# Draws of a row until it is given up; after so many the first instruction is another one.
ATTEMPTS, PATIENCE = 400, 8
# Draws of a question until one suits an instruction.
QUESTIONS = 200


@dataclass(frozen=True, slots=True)
class Chosen:
    """An instruction of a row, with its arguments."""

    kind: Kind
    kwargs: Mapping[str, Any]
    need: Need


class Composer:
    """Draws rows of `fewest` to `most` instructions, of `questions` in turn or of the project's.

    A row depends on the seed, on its number and on the rows that were refused before it. Each
    instruction is the first of as many rows as any other, if questions suit it.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        questions: Sequence[Question] | None = None,
        *,
        fewest: int = 1,
        most: int = 3,
        seed: int = 0,
    ) -> None:
        self.kinds = {kind.id: kind for kind in kinds}
        self.questions, self.fewest, self.most, self.seed = questions, fewest, most, seed
        self.beside = {id: companions(id, self.kinds) for id in self.kinds}
        self.firsts = [id for id in self.kinds if len(self.beside[id]) + 1 >= fewest]

    def rows(
        self, count: int, refused: Callable[[str], bool] = lambda text: False
    ) -> Iterator[dict[str, Any]]:
        """Yield `count` rows, no two with one prompt, and none whose text is refused.

        Raises DataError where no further row can be drawn.
        """
        seen: set[bytes] = set()  # digests: a million prompts would be half a gigabyte
        for number in range(count):
            for attempt in range(ATTEMPTS):
                row = self.draw(number, attempt)
                if row is None:
                    continue
                text = text_of(row["prompt"])
                digest = blake2b(text.encode(), digest_size=16).digest()
                if digest in seen or refused(text):
                    continue
                seen.add(digest)
                yield row
                break
            else:
                raise self._spent(number)

    def draw(self, number: int, attempt: int = 0) -> dict[str, Any] | None:
        """Draw a row; None where what was drawn does not go together."""
        rng = random.Random(derive(self.seed, "compose", number, attempt))
        for id in self._in_turn(number, attempt):
            question = self._question(rng, number, self.kinds[id])
            if question is not None:
                break
        else:
            return None
        wanted = rng.randint(self.fewest, self.most)
        chosen = self._choose(rng, question, id, wanted)
        return None if len(chosen) < self.fewest else _row(rng, number, question, chosen)

    def _in_turn(self, number: int, attempt: int) -> list[str]:
        """Return the instructions in the order in which they are tried as a row's first."""
        if not self.firsts:
            return []
        turn, at = divmod(number, len(self.firsts))
        order = list(self.firsts)
        random.Random(derive(self.seed, "turn", turn)).shuffle(order)
        at = (at + attempt // PATIENCE) % len(order)
        return order[at:] + order[:at]

    def _question(self, rng: random.Random, number: int, kind: Kind) -> Question | None:
        if self.questions is not None:
            question = self.questions[number % len(self.questions)]
            return question if _suits(kind, question) else None
        drawn = (own_question(rng) for _ in range(QUESTIONS))
        return next((question for question in drawn if _suits(kind, question)), None)

    def _choose(
        self, rng: random.Random, question: Question, first: str, wanted: int
    ) -> list[Chosen]:
        """Return up to so many instructions that one answer can follow."""
        deck, chosen = Deck(rng, question.text), list[Chosen]()
        others = list(self.beside[first])
        rng.shuffle(others)
        for id in (first, *others):
            if len(chosen) == wanted:
                break
            kind = self.kinds[id]
            if not _suits(kind, question) or any(exclusive(id, one.kind.id) for one in chosen):
                continue
            try:
                kwargs = kind.draw(deck)
            except Unfit:
                continue
            one = Chosen(kind, kwargs, kind.need(kwargs))
            if satisfiable([*(other.need for other in chosen), one.need]):
                chosen.append(one)
        rng.shuffle(chosen)
        return sorted(chosen, key=lambda one: not one.kind.above)

    def _spent(self, number: int) -> DataError:
        """Return the error that no further row can be drawn."""
        found = f"only {number} prompts" if number else "no prompt"
        of = "" if self.questions is None else f", questions: {len(self.questions)}"
        return DataError(
            f"{found} with {self.fewest} to {self.most} instructions could be composed "
            f"(instructions: {len(self.kinds)}{of})",
            "Take more instructions or questions, lower compose.fewest, or ask for fewer rows",
            key="compose.rows" if self.firsts else "compose.fewest",
            got=number,
        )


def _suits(kind: Kind, question: Question) -> bool:
    """Whether an instruction goes with a question: earlier turns would stand above it as well."""
    return kind.fits(question.text) and not (kind.above and question.before)


def text_of(prompt: str | list[dict[str, Any]]) -> str:
    """Return all that a prompt says."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(str(turn["content"]) for turn in prompt)


def _row(
    rng: random.Random, number: int, question: Question, chosen: Sequence[Chosen]
) -> dict[str, Any]:
    """Return a row of IFEval's layout."""
    sentences = [one.kind.word(one.kwargs, rng) for one in chosen]
    above = any(one.kind.above for one in chosen)
    text = _joined(rng, question.text, sentences, above)
    source = {} if question.source is None else {"source": question.source}
    return {
        "key": f"composed-{number}",
        "prompt": question.asked_with(text),
        "instruction_id_list": [one.kind.id for one in chosen],
        "kwargs": [dict(one.kwargs) for one in chosen],
        **source,
        "question": question.text,
        **question.more,
    }


def _joined(rng: random.Random, question: str, sentences: Sequence[str], above: bool) -> str:
    """Put instructions below a question, or behind it unless one speaks of what is above."""
    if above:
        return "\n\n".join((question, *sentences))
    forms = [f"{question}\n\n{' '.join(sentences)}"]
    if len(sentences) > 1:
        forms.append("\n".join((f"{question}\n", *(f"- {sentence}" for sentence in sentences))))
    if question.endswith((".", "?", "!")):
        forms += [" ".join((question, *sentences))] * 2
    return rng.choice(forms)
