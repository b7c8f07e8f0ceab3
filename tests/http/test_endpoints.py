"""Addresses of servers as users write them."""

import pytest

from uniapl_cli.http import base_url


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1:30000", "http://127.0.0.1:30000"),
        ("https://polar.example/base/", "https://polar.example/base"),
    ],
)
def test_an_address_may_be_a_url(address, url):
    assert base_url(address) == url
