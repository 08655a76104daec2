"""Who means which life of a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_sandbox_server.incarnation_name import incarnation_name, may_mean

POD = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
starts = st.integers(0, 10_000)


@given(named=starts, start=starts)
def test_a_pods_own_or_a_later_start_may_mean_it_and_no_earlier_one(named: int, start: int):
    name = incarnation_name(POD, named)
    assert may_mean(name, incarnation_name(POD, start)) is (named >= start)


@given(st.text(max_size=60), starts)
def test_names_of_other_pods_never_mean_it(pod: str, start: int):
    name = f"{pod}-{start}"
    assert may_mean(name, incarnation_name(POD, 0)) is (pod == POD)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "7",
        POD,
        f"{POD}-",
        f"{POD}--1",
        f"{POD}-x",
        f"{POD}-1 ",
        f"{POD}-²",
        f"{POD}-{'9' * 5000}",
    ],
)
def test_what_is_no_name_means_nobody(name: str):
    assert not may_mean(name, incarnation_name(POD, 0))


def test_outside_a_pod_no_two_servers_share_a_name():
    assert incarnation_name(None, 0) != incarnation_name(None, 0)
