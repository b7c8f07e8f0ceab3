"""A server's options are checked before any request, and no message repeats a secret."""

import pytest
from pydantic import ValidationError

from uniapl_cli.errors import ConfigError
from uniapl_cli.teachers import Server, dialects, server_key
from uniapl_cli.types import Sampling

URL = "http://127.0.0.1:8000/v1"
SECRET = "sk-very-secret-1234"


def test_a_dialect_is_a_name_and_asked_as_one():
    speak = dialects.bind(Server(url=URL, dialect="lmdeploy").dialect)
    assert speak(Sampling(top_k=7), False)["top_k"] == 7
    assert dialects.bind(Server(url=URL).dialect) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": f"http://me:{SECRET}@127.0.0.1/v1"},
        {"url": f"http://127.0.0.1/v1?key={SECRET}"},
        {"url": f"http://127.0.0.1/v1#{SECRET}"},
        {"url": f"me:{SECRET}@127.0.0.1/v1"},
        {"url": f"ftp://{SECRET}"},
        {"url": f"http://[{SECRET}/v1"},
        {"url": "127.0.0.1:8000"},
        {"api_key_env": SECRET},
        {"api_key_env": ""},
        {"api_key_env": None},
        {"dialect": "vlm"},
        {"concurrency": 0},
        {"timeout": 0.0},
        {"retries": -1},
        {"extra": {"stream": True}},
        {"extra": {"n": 2}},
        {"extra": {"seed": 1}},
        {"extra": {"messages": []}},
        {"extra": {"min_p": float("nan")}},
    ],
)
def test_options_that_cannot_be(wrong):
    with pytest.raises(ValidationError) as caught:
        Server(**{"url": URL, **wrong})
    [error] = caught.value.errors()
    assert error["loc"][0] in wrong
    assert SECRET not in error["msg"]


def test_what_may_hold_a_secret_is_marked():
    marked = {
        name
        for name, field in Server.model_fields.items()
        if (field.json_schema_extra or {}).get("secret")
    }
    assert marked == {"url", "api_key_env", "extra"}


def test_only_the_default_key_may_be_unset(monkeypatch):
    for name in ("OPENAI_API_KEY", "MY_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert server_key("OPENAI_API_KEY") is None
    with pytest.raises(ConfigError):
        server_key("MY_KEY")
    monkeypatch.setenv("MY_KEY", f" {SECRET}\n")
    assert server_key("MY_KEY") == SECRET


def test_what_no_key_can_be_is_refused_unseen(monkeypatch):
    monkeypatch.setenv("MY_KEY", f"{SECRET} {SECRET}")
    with pytest.raises(ConfigError) as caught:
        server_key("MY_KEY")
    assert SECRET not in str(caught.value)
