"""Requests to servers: their addresses and keys, one request, and when to repeat it."""

from uniapl_cli.http.endpoints import (
    base_url,
    json_fields,
    read_key,
    required_key,
    server_address,
    server_url,
    variable_name,
)
from uniapl_cli.http.proxies import Proxy, environment_proxy
from uniapl_cli.http.request import Loop, RequestFailed, get, new_client, one_line, post, run
from uniapl_cli.http.retries import pause

__all__ = [
    "Loop",
    "Proxy",
    "RequestFailed",
    "base_url",
    "environment_proxy",
    "get",
    "json_fields",
    "new_client",
    "one_line",
    "pause",
    "post",
    "read_key",
    "required_key",
    "run",
    "server_address",
    "server_url",
    "variable_name",
]
