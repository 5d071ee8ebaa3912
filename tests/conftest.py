"""What holds for all tests: runtimes are not chosen by a profile that this machine may have."""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Names no file; the processes that tests start hear of it too."""
    os.environ["VDAP_PROFILE"] = os.devnull
