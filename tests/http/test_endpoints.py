"""Addresses of servers as users write them."""

import pytest

from uniapl_cli.http import base_url, json_fields, server_url

SECRET = "sk-secret"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1:30000", "http://127.0.0.1:30000"),
        ("https://polar.example/base/", "https://polar.example/base"),
    ],
)
def test_an_address_may_be_a_url(address, url):
    assert base_url(address) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1",
        "https://api.example.com/v1",
        "HTTP://node_1:65535",
        "http://[::1]:8000/v1",
        "http://bücher.example/v1",
        "http://host./a%20b",
    ],
)
def test_what_a_request_can_be_sent_to(url):
    assert server_url(url) == url


@pytest.mark.parametrize("port", ["99999", "65536", "0", "-1", "", "8000x", "1_0", "80:80", SECRET])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "node"])
def test_a_port_is_a_number_that_there_can_be(host, port):
    with pytest.raises(ValueError) as caught:
        server_url(f"http://{host}:{port}/v1")
    assert "port" in str(caught.value) and SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http",
        "127.0.0.1:8000",
        "//host/v1",
        "ws://host/v1",
        "http:host/v1",
        "http:///v1",
        "http://:8000/v1",
        "http://[::1/v1",
        "http://[1.2.3.4]/v1",
        "http://::1:8000/v1",
        "http://a..b/v1",
        "http://" + "a" * 64 + "/v1",
        "http://l߀t/v1",
        "http://$HOST:8000/v1",
        "http://{HOST}:8000/v1",
        "http://host name/v1",
        "http://host/v1\n",
        "\thttp://host/v1",
        "http:\\\\host\\v1",
        "http://host/\0",
        "http://host/\ud800",
        "http://\ud800/v1",
        "http://%31:80/v1",
    ],
)
def test_what_no_request_can_be_sent_to(url):
    with pytest.raises(ValueError):
        server_url(url)


@pytest.mark.parametrize("value", ["\ud800", float("nan"), float("inf"), object(), {1, 2}])
def test_fields_that_no_json_holds(value):
    assert json_fields({"a": [1, None, "é"]}) == {"a": [1, None, "é"]}
    with pytest.raises(ValueError):
        json_fields({"a": [{"b": value}]})
