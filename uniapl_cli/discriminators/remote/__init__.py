"""POLAR behind inference servers."""

from uniapl_cli.discriminators.remote.engines import engines
from uniapl_cli.discriminators.remote.servers import PolarServer, PolarServers

__all__ = ["PolarServer", "PolarServers", "engines"]
