from collections.abc import Callable

import pytest

from uniapl_cli.verifiers import constraint, judge


@pytest.fixture
def follows() -> Callable[..., bool]:
    """follows(id, response, **kwargs): the strict verdict, through the public way in."""

    def strictly(id: str, response: str, **kwargs: object) -> bool:
        return judge(response, [constraint(id, kwargs)]).passed

    return strictly
