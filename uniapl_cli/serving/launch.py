"""How a vLLM server is started: the words of its command, and its environment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from uniapl_cli.generation.served.servable import head_size

# Sequences of full length that the keys and values on a CPU should hold, and the most GiB for them.
SEQUENCES, MOST_GIB = 32, 4
# Tokens of a step on a CPU, if no prompt is longer.
STEP_TOKENS = 8192
GIB = 2**30


@dataclass(frozen=True)
class Launch:
    """A server to start.

    model: its folder or hub name. names: what requests may call it. context: tokens. kv_bytes: of
    the keys and values of a token. local: whether the hub need not be asked. threads: on a CPU.
    options: by flag; True is a flag alone, None and False are none. variables: of the environment.
    """

    model: str
    names: Sequence[str]
    dtype: str
    context: int
    on_cpu: bool
    kv_bytes: int
    local: bool
    threads: int | None = None
    revision: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def words(self, vllm: str, host: str, port: int, more: Sequence[str] = ()) -> list[str]:
        """Return the command. more: further words of it, which go before ours."""
        options: dict[str, Any] = {
            "--host": host,
            "--port": port,
            "--served-model-name": list(self.names),
            "--revision": self.revision,
            "--dtype": self.dtype,
            "--max-model-len": self.context,
            **self.options,
            **(self._on_cpu() if self.on_cpu else {}),
        }
        flags = [word for name, value in options.items() for word in _flag(name, value)]
        return [vllm, "serve", self.model, *flags, *more]

    def _on_cpu(self) -> dict[str, Any]:
        # A prompt read in pieces ends the engine where its request has a seed: torch's generators
        # on a CPU have no offset.
        return {
            "--enforce-eager": True,
            "--no-enable-chunked-prefill": True,
            "--max-num-batched-tokens": max(STEP_TOKENS, self.context),
        }

    def environment(self) -> dict[str, str]:
        """Return the variables that the server needs, beside those that are set."""
        fixed = {"VLLM_NO_USAGE_STATS": "1", **self.variables}
        if self.local:
            fixed["HF_HUB_OFFLINE"] = "1"
        if self.on_cpu and self.threads is not None:
            fixed["OMP_NUM_THREADS"] = str(self.threads)
        if self.on_cpu:
            fixed["VLLM_CPU_KVCACHE_SPACE"] = str(self.kv_gib)
        return fixed

    @property
    def kv_gib(self) -> int:
        """GiB for keys and values: of SEQUENCES if they are few, of one at least."""
        one = self.context * self.kv_bytes
        return max(-(-one // GIB), min(MOST_GIB, -(-SEQUENCES * one // GIB)), 1)


def _flag(name: str, value: Any) -> list[str]:
    """Return the words of an option; none where the value is None or False."""
    if value is None or value is False:
        return []
    if value is True:
        return [name]
    if isinstance(value, Mapping):
        return [name, json.dumps(value)]
    return [name, *map(str, value if isinstance(value, list) else [value])]


def kv_bytes(config: Any, bytes_a_number: int) -> int:
    """Return the bytes of a token's keys and values by a model's config."""
    text, size = config.get_text_config(), head_size(config) or 0
    layers: int = getattr(text, "num_hidden_layers", 0)
    heads: int = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    return 2 * layers * heads * size * bytes_a_number
