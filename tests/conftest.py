"""What every test starts from: one thread, its own random numbers, float32."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import settings

# Examples are the same on every run, and a loaded machine is no failure.
settings.register_profile("elman", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("elman")

torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "errors: passes what a signature forbids, to see the library's own message; left out of "
        "the run in which signatures are checked",
    )
    config.addinivalue_line(
        "markers",
        "plain_code: skipped in the run in which signatures are checked: torch cannot trace the "
        "checks",
    )
    # Said once a process, so that it would come in whichever test is first.
    config.addinivalue_line("filterwarnings", "ignore::elman.engine.SlowPathWarning")
    # torch's own, which its LSTM says too.
    config.addinivalue_line("filterwarnings", "ignore:LSTM with projections is not supported")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("jaxtyping_packages", None):
        for item in items:
            if item.get_closest_marker("plain_code"):
                item.add_marker(pytest.mark.skip(reason="torch cannot trace checked signatures"))


@pytest.fixture(autouse=True)
def own_random_state() -> Iterator[None]:
    """The same numbers whether a test runs alone or after others, and none leaked to the next."""
    numpy_state = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        yield
    np.random.set_state(numpy_state)  # noqa: NPY002


@pytest.fixture(autouse=True)
def own_default_dtype() -> Iterator[None]:
    """float32 before and after every test."""
    torch.set_default_dtype(torch.float32)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def float64() -> None:
    """A test that asks for it creates tensors and layers in float64."""
    torch.set_default_dtype(torch.float64)
