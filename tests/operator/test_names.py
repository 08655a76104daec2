"""Names that are derived, so that a pod can never exist twice."""

import re

from hypothesis import given
from hypothesis import strategies as st

from training_sandbox_operator.model.names import pod_name

DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
instance_names = st.from_regex(DNS_SUBDOMAIN, fullmatch=True).filter(lambda name: len(name) <= 63)


@given(instance_names, st.uuids())
def test_a_pods_name_is_a_valid_host_name(name: str, uid: object) -> None:
    made = pod_name(name, str(uid))
    assert DNS_SUBDOMAIN.fullmatch(made)
    assert len(made) <= 63


def test_an_instance_and_a_later_one_of_the_same_name_have_different_pods() -> None:
    assert pod_name("demo", "11111111-2222") == "demo-11111111"
    assert pod_name("demo", "33333333-2222") == "demo-33333333"


def test_a_name_that_is_cut_does_not_end_in_a_dot() -> None:
    assert pod_name("a" * 49 + ".b", "11111111-2222") == "a" * 49 + "-11111111"
