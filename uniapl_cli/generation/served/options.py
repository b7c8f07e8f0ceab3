"""The options of generation by vLLM servers: types, bounds and help."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from uniapl_cli.generation.served import transports
from uniapl_cli.http import server_address, variable_name
from uniapl_cli.options import Options
from uniapl_cli.registry import Choice

MAY_CHANGE = {"may_change": True}
SECRET = {"may_change": True, "secret": True}

Addresses = Annotated[
    list[Annotated[str, AfterValidator(server_address)]],
    Field(
        min_length=1,
        description="HOST:PORT or URLs without a route, of servers that `uniapl serve` starts",
        json_schema_extra=SECRET,
    ),
]
ServedName = Annotated[
    str | None,
    Field(
        description="the servers' name for the policy; null takes the only one that they have",
        json_schema_extra=MAY_CHANGE,
    ),
]
Concurrency = Annotated[
    int,
    Field(
        ge=1,
        le=10_000,
        description="prompts under way at a time, at each server",
        json_schema_extra=MAY_CHANGE,
    ),
]
Timeout = Annotated[
    float,
    Field(
        gt=0,
        le=604_800,
        description="seconds until a request counts as failed",
        json_schema_extra=MAY_CHANGE,
    ),
]
Retries = Annotated[
    int,
    Field(
        ge=0,
        le=1000,
        description="repetitions of a request that failed",
        json_schema_extra=MAY_CHANGE,
    ),
]
Patience = Annotated[
    float,
    Field(
        ge=0,
        le=604_800,
        description="seconds that a server may stay away, as one that is restarted does",
        json_schema_extra=MAY_CHANGE,
    ),
]
Tolerance = Annotated[
    float | None,
    Field(
        gt=0,
        description="nats a token by which a server's log-probabilities may be off the policy's; "
        "null: 0.001 in float32, 0.1 in bfloat16",
        json_schema_extra=MAY_CHANGE,
    ),
]
KeyVariable = Annotated[
    Annotated[str, AfterValidator(variable_name)] | None,
    Field(
        description="NAME of the environment variable with the key; null sends none",
        json_schema_extra=SECRET,
    ),
]
Sync = Annotated[
    Annotated[Options, Choice(transports)],
    Field(
        description="how weights get to the servers; see `uniapl list transports`",
        json_schema_extra=MAY_CHANGE,
    ),
]
FOLDER = transports.options("folder")
