"""Direct preference optimisation: learn from labelled answers, by their log-probabilities."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from uniapl_cli.batches import ChoiceBatch, LabelledBatch
from uniapl_cli.objectives.objective import objectives
from uniapl_cli.tensors import TokenBatch, TokenLoss


@objectives.register("dpo", reference=True)
def dpo(
    logps: Tensor,
    batch: ChoiceBatch,
    *,
    beta: PositiveFloat = 0.1,
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0,
) -> TokenLoss:
    """-log sigmoid(beta (chosen - rejected)), of log p / p_ref summed over tokens. Paper, A.4.1.

    logps: (2B, T). The loss is (B, 1): one a pair. A policy that is its reference costs 0.6931.
    With `label_smoothing` e, the pair counts as mislabelled with probability e (cDPO).
    """
    chosen, rejected = (beta * log_ratios(logps, batch.answers)).chunk(2)
    margin = chosen - rejected
    right, wrong = -F.logsigmoid(margin), -F.logsigmoid(-margin)
    loss = (1 - label_smoothing) * right + label_smoothing * wrong
    metrics = {"accuracy": (margin > 0).float(), "margin": margin}
    return TokenLoss(loss, {**metrics, "reward_chosen": chosen, "reward_rejected": rejected})


@objectives.register("cpo")
def cpo(
    logps: Tensor,
    batch: ChoiceBatch,
    *,
    beta: PositiveFloat = 0.1,
    gamma: NonNegativeFloat = 0.0,
    by_length: bool = False,
) -> TokenLoss:
    """-log sigmoid(beta (chosen - rejected) - gamma), of log p summed over tokens: no reference.

    logps: (2B, T). The loss is (B, 1): one a pair. CPO (arXiv 2401.08417), and DYPO's contrast of
    a group's right and wrong rollouts. `by_length` takes means over the tokens: SimPO with a
    `gamma`, the margin that it asks for (arXiv 2405.14734, whose gamma is that of its code).
    """
    mask = batch.answers.loss_mask
    gains = beta * (logps * mask).sum(1, keepdim=True)
    if by_length:
        gains = gains / mask.sum(1, keepdim=True).clamp(min=1)
    chosen, rejected = gains.chunk(2)
    margin = chosen - rejected
    metrics = {"accuracy": (margin > 0).float(), "margin": margin}
    return TokenLoss(-F.logsigmoid(margin - gamma), metrics)


@objectives.register("kto", reference=True)
def kto(
    logps: Tensor,
    batch: LabelledBatch,
    *,
    beta: PositiveFloat = 0.1,
    desirable_weight: NonNegativeFloat = 1.0,
    undesirable_weight: NonNegativeFloat = 1.0,
) -> TokenLoss:
    """1 - sigmoid(+-beta (r - z)): + for desirable answers, - for the others. Paper, A.4.2.

    logps: (B, T). r is log p / p_ref summed over tokens; z, the batch's baseline, is the policy's
    divergence from its reference on mismatched answers, held constant. The loss is (B, 1): one an
    answer, times `desirable_weight` or `undesirable_weight`. Where policy and reference agree, each
    costs 0.5. arXiv 2402.01306.
    """
    assert batch.baseline is not None, "complete() fills it in before the first pass"
    reward = beta * log_ratios(logps, batch.answers)
    sign = torch.where(batch.desirable, 1.0, -1.0).unsqueeze(1)
    weight = torch.where(batch.desirable, desirable_weight, undesirable_weight).unsqueeze(1)
    margin = sign * (reward - beta * batch.baseline)
    metrics = {"reward": reward, "margin": margin, "accuracy": (margin > 0).float()}
    return TokenLoss(weight * torch.sigmoid(-margin), metrics)


def log_ratios(logps: Tensor, answers: TokenBatch) -> Tensor:
    """Return log p / p_ref of whole answers, (B, 1). logps: (B, T)."""
    assert answers.ref_logps is not None, "registered with reference=True"
    return ((logps - answers.ref_logps) * answers.loss_mask).sum(1, keepdim=True)
