"""References: the models that a policy is compared with, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import torch
from pydantic import model_validator
from torch import Tensor

from uniapl_cli.options import FilePath, Options, key
from uniapl_cli.rewards.reference import Reference
from uniapl_cli.sources.source import SourceBatch
from uniapl_cli.tensors import Batch, TokenBatch
from uniapl_cli.training.beside import Teacher
from uniapl_cli.training.contexts import Contexts, Shown
from uniapl_cli.training.policy import Policy
from uniapl_cli.training.terms import Term

POLICY = "policy"
PROMPT, SHOWN = "{prompt}", "{shown}"
TEXT = (
    f"{PROMPT}\n\nThis is an example for a response to the question:\n{SHOWN}\n\nNow answer with a "
    "response of your own, including the thinking process."
)
# The options that say what a reference is.
KINDS = ("path", "ema", "context")


class ReferenceOptions(Options):
    """A model that terms compare the policy with: one of `path`, `ema` and `context`.

    A method may leave it to its user which model that is.
    """

    path: FilePath | None = key(
        None, "another frozen model, with the policy's tokenizer: as model.path, or tiny:teacher"
    )
    revision: str | None = key(None, "of `path`: branch, tag or commit on the hub")
    ema: float | None = key(
        None,
        "the moving average of the trained weights: the share of those of each new step",
        gt=0,
        le=1,
    )
    context: Shown | None = key(
        None,
        "who is shown more before it answers: the row's demonstration, or another right rollout of "
        "its group (right)",
    )
    of: str = key(POLICY, "of `context`, who that is: policy, start or another reference")
    text: str = key(
        TEXT, "of `context`, what is read: {prompt} is the last user turn, {shown} what is shown"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in KINDS if getattr(self, name) is not None]
        if len(given) > 1:
            found = " and ".join(given)
            raise ValueError(f"a reference is one of {', '.join(KINDS)}, not {found}")
        for name, kind in (("revision", "path"), ("of", "context"), ("text", "context")):
            own = type(self).model_fields[name].default
            if getattr(self, name) != own and given and kind != given[0]:
                raise ValueError(f"'{name}' is an option of `{kind}`, not of `{given[0]}`")
        if PROMPT not in self.text or SHOWN not in self.text:
            raise ValueError(f"text = {self.text!r}: it must hold {PROMPT} and {SHOWN}")
        return self


@dataclass(frozen=True)
class InContext:
    """A reference that reads more before it answers. name: that of its contexts in a batch."""

    reader: Policy
    name: str

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return (B, T) log-probabilities of the batch's tokens behind what is read there."""
        context = batch.contexts[self.name]
        logps = self.reader.forward(context)
        zeros = torch.zeros(batch.loss_mask.shape, dtype=logps.dtype, device=logps.device)
        return zeros.masked_scatter(batch.loss_mask, logps[context.loss_mask])

    def teacher(self, batch: TokenBatch) -> Teacher:
        """Return the whole distributions of the batch's tokens behind what is read there."""
        return self.reader.teacher(batch.contexts[self.name])


@dataclass(frozen=True)
class References:
    """All that are needed but for the start. contexts: what is shown to those that read more."""

    models: Mapping[str, Reference] = field(default_factory=dict)
    contexts: Contexts | None = None

    def shown(self, source: str, drawn: SourceBatch, terms: Sequence[Term]) -> Batch | None:
        """Return a source's batch, if it has one, with what its terms' references read."""
        if self.contexts is None or drawn.batch is None:
            return drawn.batch
        own = [term for term in terms if term.source == source]
        names = {name for term in own for name in (*term.references, *term.teachers)}
        return self.contexts.added(drawn.batch, drawn.rollouts, names)


NONE = References()
