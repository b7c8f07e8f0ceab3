"""The data that flows through the program: Example -> Completion -> Rollout. Without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import field_validator

from uniapl_cli.options import Count, Options, key

T = TypeVar("T")
FinishReason = Literal["stop", "length"]
# Called now and then with the tokens that have been drawn, and those that are likely to come.
Progress = Callable[[int, float], None]
# How servers and data sets call the end of a response that its model ended itself.
FINISHED = frozenset({"stop", "eos", "eos_token", "stop_sequence", "stop_token", "end_turn"})
Role = Literal["system", "developer", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    `more`: its other fields as they were read, for the chat template: tool_calls, name ...
    """

    role: Role
    content: str
    more: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Constraint:
    """An instruction that a verifier can check: `("punctuation:no_comma", {})`.

    `kwargs` are complete and of the right types: they were checked when the row was read. `unwrap`:
    the row's data set takes `<answer>` tags off a response before it verifies.
    """

    id: str
    kwargs: Mapping[str, object] = field(default_factory=dict)
    unwrap: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Example:
    """One row of data.

    `reference` is the data set's own ground truth. `response` is the teacher's answer, or the
    chosen one of a preference; `rejected` is the other one. An answer's thoughts stand in its text
    (`chat.thinking`). `response_fields` are the other fields of the response's turn, such as
    tool_calls; `tools` are the functions that the prompt offers. A response that is not `finished`
    was cut off, and no stop token follows it. `next_turns`: what the user goes on with after each
    answer to come; `response` is then the answer to the last of them. `row` holds all columns as
    they were read. `origin` is `file:line`, for error messages.
    """

    id: str
    prompt: tuple[Message, ...]
    constraints: tuple[Constraint, ...] = ()
    response: str | None = None
    rejected: str | None = None
    reference: str | None = None
    response_fields: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Mapping[str, Any], ...] = ()
    finished: bool = True
    next_turns: tuple[str, ...] = ()
    row: Mapping[str, Any] = field(default_factory=dict)
    origin: str = ""

    @property
    def prompt_text(self) -> str:
        """The contents of the prompt's messages, one under the other, without roles."""
        return "\n".join(message.content for message in self.prompt)


# Logits divided by less may overflow.
LOWEST_TEMPERATURE = 0.001


class Sampling(Options):
    """How tokens are drawn. `temperature` 0 is greedy; `top_p` 1 and `top_k` 0 cut nothing off."""

    temperature: float = key(1.0, "0 is greedy", ge=0, le=100)
    top_p: float = key(1.0, "nucleus; 1 cuts nothing off", gt=0, le=1)
    top_k: int = key(0, "0 cuts nothing off", ge=0)
    max_new_tokens: Count = key(512, "longest response")

    @field_validator("temperature")
    @classmethod
    def _divides(cls, temperature: float) -> float:
        if 0 < temperature < LOWEST_TEMPERATURE:
            raise ValueError(f"{LOWEST_TEMPERATURE:g} is the least above 0, which is greedy")
        return temperature


@dataclass(frozen=True, slots=True)
class Completion:
    """A generated response.

    `token_ids` include the stop token when `finish_reason` is "stop"; `text` does not. `logps[t]`
    is the log-probability of `token_ids[t]` at the sampling temperature, before top-p and top-k.

    Of a conversation, the ids are those of all answers and of what stands between them: `shown`
    says where that begins and ends. `text` is the last answer, `earlier` holds those before it.
    """

    text: str
    token_ids: tuple[int, ...]
    logps: tuple[float, ...]
    finish_reason: FinishReason
    shown: tuple[tuple[int, int], ...] = ()
    earlier: tuple[str, ...] = ()

    def own(self, values: Sequence[T]) -> list[T]:
        """Return those of some values, one a token, whose tokens nobody but the answerer wrote."""
        starts, ends = [0, *(end for _, end in self.shown)], [start for start, _ in self.shown]
        parts = zip(starts, [*ends, len(values)], strict=True)
        return [value for start, end in parts for value in values[start:end]]

    @property
    def length(self) -> int:
        """The tokens of the answers."""
        return len(self.token_ids) - sum(end - start for start, end in self.shown)


@dataclass(frozen=True, slots=True)
class Rollout:
    """One answer to an example's prompt. Rollouts of one prompt in a step share `group`.

    given: how many of its first tokens are the teacher's; the policy sampled the others. apart:
    the others of its group are not compared with it.
    """

    example: Example
    prompt_ids: tuple[int, ...]
    completion: Completion
    group: int
    given: int = 0
    apart: bool = False

    @property
    def expert(self) -> bool:
        """Whether it is the teacher's whole response."""
        return 0 < self.given == len(self.completion.token_ids)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a discriminator scores: how close `candidate` is to `reference` as an answer."""

    prompt: str
    reference: str
    candidate: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely a text is behind another: the sum of its tokens' log-probabilities in nats.

    `tokens` is their number. `greedy`: whether each is the most likely one.
    """

    logp: float
    tokens: int
    greedy: bool


@dataclass(frozen=True, slots=True)
class Grade:
    """Whether an answer is right, what was read as the answer, and the reason in one line.

    `read` is None where no answer could be found in the response, which is then not right.
    """

    correct: bool
    read: str | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a response follows each of its constraints, in their order.

    `strict` judges the response as it is; `loose` accepts it when any of IFEval's eight light edits
    of it (markdown asterisks, first line, last line removed) passes; it is empty where it was not
    asked for. `errors` holds the reason where a verifier could not judge; its verdicts are then
    False. `grades` holds what graders of answers say more, None for a plain instruction unless the
    response is blank.
    """

    strict: tuple[bool, ...]
    loose: tuple[bool, ...]
    errors: tuple[str | None, ...] = ()
    grades: tuple[Grade | None, ...] = field(default=(), compare=False)

    @property
    def passed(self) -> bool:
        """True if there are constraints and every one is followed, strictly."""
        return bool(self.strict) and all(self.strict)
