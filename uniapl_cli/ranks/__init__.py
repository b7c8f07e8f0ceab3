"""The processes that train one model."""

from uniapl_cli.ranks.options import ParallelOptions as ParallelOptions
from uniapl_cli.ranks.options import Shard as Shard
from uniapl_cli.ranks.ranks import ALONE as ALONE
from uniapl_cli.ranks.ranks import Ranks as Ranks
