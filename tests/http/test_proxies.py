"""Which servers are reached through a proxy that the environment names."""

import os

import pytest

from uniapl_cli.errors import ConfigError
from uniapl_cli.http import environment_proxy, new_client

PROXY = "http://me:sk-secret@proxy.example:3128"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("http_proxy", PROXY)
    return monkeypatch


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "127.0.0.1",
        "127.8.9.10",
        "127.1",
        "2130706433",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
    ],
)
@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_this_machine_is_reached_without_a_proxy(environment, host, variable):
    environment.setenv(variable, PROXY)
    assert environment_proxy(f"http://{host}:8000/v1") is None


@pytest.mark.parametrize(
    "host", ["node7", "10.0.0.7", "localhost.example", "128.0.0.1", "[2001:db8::1]", "1270.example"]
)
def test_another_machine_is_reached_through_it(host):
    proxy = environment_proxy(f"http://{host}:8000/v1")
    assert (proxy.variable, proxy.url) == ("http_proxy", PROXY)
    assert "sk-secret" not in repr(proxy)


def test_each_scheme_has_a_variable_of_its_own(environment):
    assert environment_proxy("https://node7/v1") is None
    environment.setenv("ALL_PROXY", "proxy.example:3128")
    proxy = environment_proxy("https://node7/v1")
    assert (proxy.variable, proxy.url) == ("ALL_PROXY", "http://proxy.example:3128")
    environment.setenv("HTTPS_PROXY", PROXY)
    assert environment_proxy("https://node7/v1").variable == "HTTPS_PROXY"
    environment.setenv("http_proxy", " ")
    assert environment_proxy("http://node7/v1").variable == "ALL_PROXY"


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("*", "http://node7/v1", True),
        ("a, node7 ,b", "http://node7:8000/v1", True),
        ("node7", "http://node77/v1", False),
        (".cluster", "http://n7.cluster/v1", True),
        ("*.cluster", "http://n7.cluster/v1", True),
        ("cluster", "http://n7.cluster/v1", True),
        ("cluster", "http://my-cluster/v1", False),
        ("node7:8000", "http://node7:8000/v1", True),
        ("node7:8000", "http://node7:8001/v1", False),
        ("10.0.0.0/8", "http://10.1.2.3/v1", True),
        ("10.0.0.0/8", "http://11.1.2.3/v1", False),
        ("10.1.2.3:80", "http://10.1.2.3:80/v1", True),
        ("2001:db8::/32", "http://[2001:db8::1]:80/v1", True),
        ("[2001:db8::1]", "http://[2001:db8::1]:80/v1", True),
        ("", "http://node7/v1", False),
        (",,/,:", "http://node7/v1", False),
    ],
)
def test_no_proxy_lists_who_needs_none(environment, no_proxy, url, direct):
    environment.setenv("NO_PROXY", no_proxy)
    assert (environment_proxy(url) is None) == direct


@pytest.mark.parametrize(
    "url",
    ["ftp://sk-secret:1", "http://sk-secret:99999", "http://[sk-secret", "socks5://sk-secret:1"],
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(environment, url):
    environment.setenv("http_proxy", url)
    with pytest.raises(ConfigError) as caught:
        new_client(1, environment_proxy("http://node7/v1"))
    assert caught.value.got == "http_proxy"
    assert "sk-secret" not in str(caught.value)
