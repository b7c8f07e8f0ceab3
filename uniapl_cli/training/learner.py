"""What is trained: a model that turns a batch into the numbers its objectives are about."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from uniapl_cli.chat import load_tokenizer
from uniapl_cli.discriminators.polar import PolarModel
from uniapl_cli.errors import ModelError
from uniapl_cli.precision import arithmetic
from uniapl_cli.preferences import PairBatch
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.adapter import adapted_layers, save_merged, switched_off

# Elements of logits that exist at a time: 256 MiB in float32.
LOGIT_BUDGET = 2**26


class Learner(Protocol):
    """A trainable model: `forward(batch)` gives what the objectives take first."""

    model: Any
    tokenizer: Any
    device: torch.device

    def forward(self, batch: Any) -> Tensor:
        """Return the outputs for a batch."""
        ...


class Policy:
    """A causal language model as a policy: TokenBatch -> log-probabilities (B, T)."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.device: torch.device = model.device
        self.backbone = getattr(model, model.base_model_prefix)
        self.head: nn.Linear = model.get_output_embeddings()
        self._check_head()

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return (B, T) log-probabilities of the masked tokens, 0 elsewhere.

        Only the masked places go through the vocabulary head, LOGIT_BUDGET logits at a time.
        """
        with arithmetic(self.device):
            hidden = self.backbone(
                input_ids=batch.tokens[:, :-1], use_cache=False
            ).last_hidden_state
            chosen = token_logps(
                hidden[batch.mask],
                self.head.weight,
                batch.tokens[:, 1:][batch.mask],
                bias=self.head.bias,
                temperature=batch.temperature,
            )
        logps = torch.zeros(batch.mask.shape, dtype=torch.float32, device=hidden.device)
        return logps.masked_scatter(batch.mask, chosen)

    @torch.no_grad()
    def _check_head(self) -> None:
        """Refuse architectures that change the logits after the head (soft-capping, scaling)."""
        ids = torch.tensor([[0, 1, 2]], device=self.device)
        hidden = self.backbone(input_ids=ids, use_cache=False).last_hidden_state
        whole = self.model(input_ids=ids, use_cache=False).logits
        if not torch.allclose(self.head(hidden).float(), whole.float(), rtol=1e-3, atol=1e-3):
            raise ModelError(
                f"{type(self.model).__name__} changes its logits after the head (soft-capping or "
                "scaling), which the chunked log-probabilities here do not reproduce"
            )


class WithoutAdapter(Policy):
    """A policy with its adapter switched off: where training started, in the same memory."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy.model, policy.tokenizer)

    @torch.no_grad()
    def forward(self, batch: TokenBatch) -> Tensor:
        """Return (B, T) log-probabilities under the frozen weights alone, without a graph."""
        with switched_off(self.model):
            return super().forward(batch)


class PolarLearner:
    """A POLAR-format discriminator in training: PairBatch -> scores (B, 2)."""

    def __init__(self, polar: PolarModel, device: str) -> None:
        self.polar = polar
        # Without dropout, so that a resumed run needs no random state to be the same.
        self.model = polar.model.to(device).eval()
        self.tokenizer = polar.tokenizer
        self.device: torch.device = self.model.device

    def forward(self, batch: PairBatch) -> Tensor:
        """Return (B, 2) scores."""
        with arithmetic(self.device):
            return self.polar.forward(batch)


def token_logps(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    temperature: float = 1.0,
    budget: int = LOGIT_BUDGET,
) -> Tensor:
    """Return (N,) float32 log-probabilities of `targets`. hidden: (N, H), weight: (V, H).

    At most `budget` logits exist at a time; where that takes several chunks, each is computed
    again in the backward pass instead of being kept.
    """

    def chunk_logps(h: Tensor, t: Tensor) -> Tensor:
        logits = F.linear(h, weight, bias).float() / temperature
        # cross_entropy peaks lower than logsumexp - gather, and than log_softmax + gather.
        return -F.cross_entropy(logits, t, reduction="none")

    rows = max(1, budget // weight.shape[0])
    if len(hidden) <= rows:
        return chunk_logps(hidden, targets)
    pieces = zip(hidden.split(rows), targets.split(rows), strict=True)
    return torch.cat([checkpoint(chunk_logps, h, t, use_reentrant=False) for h, t in pieces])


def load_model(
    path: str | Path,
    device: str,
    *,
    dtype: torch.dtype = torch.float32,
    attention: str = "sdpa",
    revision: str | None = None,
) -> Any:
    """Load a causal language model, without remote code. Raises ModelError."""
    from transformers import AutoModelForCausalLM

    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            path,
            revision=revision,
            dtype=dtype,
            attn_implementation=attention,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"cannot load '{path}': {str(error).splitlines()[0]}") from error
    check_whole(path, model, info)
    return model.to(device)


def check_whole(path: str | Path, model: Any, info: Mapping[str, Any]) -> None:
    """Refuse weights that are not all there, or another kind of model's. Raises ModelError."""
    missing = sorted(info["missing_keys"])
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelError(f"cannot load '{path}': its weights lack {missing[0]}{more}")
    kinds = model.config.architectures or []
    if any(kind.endswith("ForSequenceClassification") for kind in kinds):
        raise ModelError(f"cannot load '{path}': it is a {kinds[0]}, not a causal language model")


def load_policy(path: str | Path, device: str, **options: Any) -> Policy:
    """Load a policy with its tokenizer. Raises ModelError."""
    tokenizer = load_tokenizer(path, options.get("revision"))
    # Dropout would make the sampler and the learner two different policies, so the mode is eval.
    return Policy(load_model(path, device, **options).eval(), tokenizer)


def save_folder(folder: Path, model: Any, tokenizer: Any) -> None:
    """Write a folder that `from_pretrained` loads; it appears whole or not at all.

    An adapter is merged into the weights, and kept apart in the subfolder `adapter` too.
    """
    scratch = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    if adapted_layers(model):
        save_merged(scratch, model)
    else:
        model.save_pretrained(scratch)
    tokenizer.save_pretrained(scratch)
    scratch.replace(folder)
