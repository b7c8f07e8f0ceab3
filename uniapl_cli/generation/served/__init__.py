"""Generation by vLLM servers that are kept in step with the policy."""

from uniapl_cli.generation.served import nccl
from uniapl_cli.generation.served.transports import transports

__all__ = ["nccl", "transports"]
