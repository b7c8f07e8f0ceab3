"""What vLLM cannot serve, found out before anything is loaded, and servers that are no use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uniapl_cli.errors import ConfigError, ModelError, ServerError
from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.requests import LOWEST_TEMPERATURE
from uniapl_cli.generation.served.transports import transports
from uniapl_cli.http import base_url, required_key
from uniapl_cli.types import Sampling

# The sizes of an attention head that vLLM 0.32 computes on a CPU.
CPU_HEADS = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)


def head_size(config: Any) -> int | None:
    """Return the size of an attention head by a model's config; None where it does not say."""
    config = config.get_text_config()
    size = getattr(config, "head_dim", None)
    if size is None and getattr(config, "num_attention_heads", None):
        size = config.hidden_size // config.num_attention_heads
    return size


def servers_of(addresses: Sequence[str], timeout: float, variable: str | None) -> list[VllmServer]:
    """Return the servers; `variable` names that of the key. Raises ConfigError."""
    try:
        key = None if variable is None else required_key(variable)
    except ConfigError as error:
        raise error.at(key="generation.api_key_env") from None
    servers = [VllmServer(base_url(address), timeout, key) for address in addresses]
    if any(server.address.endswith("/v1") for server in servers):
        problem = "'generation.addresses' holds an address that ends in /v1"
        raise ConfigError(problem, "Leave /v1 out", key="generation.addresses")
    if len({server.proxy for server in servers}) > 1:
        raise ConfigError(
            "some of 'generation.addresses' are reached through a proxy and others not",
            "List all their hosts in no_proxy, or none",
            key="generation.addresses",
        )
    if len({server.address for server in servers}) < len(servers):
        raise ConfigError("'generation.addresses' names a server twice", key="generation.addresses")
    return servers


def check_servable(options: Any, config: Any, device: str, sampling: Sampling) -> None:
    """Refuse a model, by its config, and a sampling that vLLM would take for another one.

    options: of generation.kind=vllm. device: what training computes on; the servers are taken to
    compute on the like. Raises ModelError and ConfigError.
    """
    servers_of(options.addresses, options.timeout, options.api_key_env)
    transports.bind(options.sync, scratch=Path())()  # it may need what is not installed
    check_heads(config, device, key="generation.kind", advice="Set generation=local")
    if 0 < sampling.temperature < LOWEST_TEMPERATURE:
        raise ConfigError(
            f"vLLM takes {LOWEST_TEMPERATURE:g} for any lower temperature but 0",
            key="sampling.temperature",
            got=sampling.temperature,
        )


def check_heads(config: Any, device: str, *, advice: str, key: str | None = None) -> None:
    """Refuse heads that vLLM does not compute on the device. Raises ModelError."""
    size = head_size(config)
    if device == "cpu" and size is not None and size not in CPU_HEADS:
        raise ModelError(
            f"on a CPU vLLM has no attention for heads of {size} numbers, as this model's are",
            advice,
            key=key,
            got=size,
            allowed=list(map(str, CPU_HEADS)),
        )


def lost_again(server: VllmServer, times: int) -> ServerError:
    """Return the error that servers do not have the weights that the first rank brings."""
    return ServerError(
        f"some process found a vLLM server without the run's weights {times} times in one draw",
        "Name addresses that reach the same servers from every machine",
        where=server.address,
        key="generation.addresses",
        got=times,
    )


def unknown_model(server: VllmServer, name: str | None, known: list[str]) -> ServerError:
    """Return the error that a server has no model of a name, or, without one, several."""
    asked = "there are several models" if name is None else f"there is no model '{name}'"
    return ServerError(
        f"{asked} at the vLLM server",
        f"Set generation.model to one of {', '.join(known)}",
        where=server.address,
        key="generation.model",
        got=name,
        allowed=known,
    )
