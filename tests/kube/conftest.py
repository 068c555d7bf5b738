"""A namespace for each test of the API server: removing one takes seconds, so none is used again."""

from __future__ import annotations

import itertools

import pytest
from api_server import ApiServer

NUMBERS = itertools.count()


@pytest.fixture
def namespace(api_server: ApiServer) -> str:
    """Made for this test alone."""
    return api_server.namespace(f"kube-{next(NUMBERS)}")
