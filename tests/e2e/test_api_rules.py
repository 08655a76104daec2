"""The rules of the API, as the real API server holds them."""

from __future__ import annotations

import json

import pytest

from tests.e2e.crd_cases import (
    BAD_CHANGES,
    BAD_OBJECTS,
    FULL,
    GOOD_CHANGES,
    BadChange,
    BadObject,
    manifest,
)
from tests.e2e.support.cluster import Namespace, kubectl
from training_sandbox import InstanceRejected, TrainingSandbox


def apply(document: dict[str, object]) -> str:
    """The API server's own words: kubectl's check of field names comes before them."""
    return kubectl(
        "apply", "--validate=ignore", "--filename", "-", stdin=json.dumps(document), check=False
    )


@pytest.mark.parametrize("case", BAD_OBJECTS, ids=lambda case: case.what)
def test_a_bad_object_is_refused_by_the_name_of_its_field(
    case: BadObject, shared: Namespace
) -> None:
    answer = apply(case.manifest(shared.name))
    for fragment in case.told:
        assert fragment in answer
    assert shared.instance(case.name) is None


@pytest.mark.parametrize("case", BAD_CHANGES, ids=lambda case: case.what)
def test_what_is_built_into_the_pod_cannot_be_changed(
    case: BadChange, namespace: Namespace
) -> None:
    assert "created" in apply(manifest("fixed", namespace.name, case.before))
    answer = kubectl(
        "patch",
        "ti",
        "fixed",
        "--namespace",
        namespace.name,
        "--type=merge",
        "--patch",
        json.dumps({"spec": case.change}),
        check=False,
    )
    for fragment in (*case.told, *(f"spec.{name}" for name in case.change)):
        assert fragment in answer


def test_lifetimes_may_be_changed(namespace: Namespace) -> None:
    assert "created" in apply(manifest("changeable", namespace.name, {}))
    for change in GOOD_CHANGES:
        namespace.patch("changeable", **change)
        instance = namespace.instance("changeable")
        assert instance is not None
        assert instance["spec"].items() >= change.items()


def test_every_field_is_kept_as_it_was_given(namespace: Namespace) -> None:
    apply(manifest("full", namespace.name, FULL))
    instance = namespace.instance("full")
    assert instance is not None
    assert instance["spec"].items() >= FULL.items()


def test_defaults_are_filled_in(namespace: Namespace) -> None:
    apply(manifest("plain", namespace.name, {}))
    instance = namespace.instance("plain")
    assert instance is not None
    assert (
        instance["spec"].items()
        >= {
            "ttlSeconds": 14400,
            "idleTimeoutSeconds": 300,
            "ttlSecondsAfterFinished": 60,
            "retainFailed": False,
        }.items()
    )


def test_kubectl_explains_a_field() -> None:
    text = kubectl("explain", "ti.spec.idleTimeoutSeconds")
    assert "seconds" in text.lower()
    assert "300" in text


def test_the_short_name_and_the_category_work(namespace: Namespace) -> None:
    apply(manifest("named", namespace.name, {}))
    for alias in ("ti", "trainingsandbox"):
        assert "named" in kubectl("get", alias, "--namespace", namespace.name)


def test_the_columns_say_whether_it_is_up_and_if_not_why(namespace: Namespace) -> None:
    apply(manifest("named", namespace.name, {}))
    namespace.wait_ready_condition("named", "UnknownEnvironment")
    header, row = kubectl("get", "ti", "--namespace", namespace.name).splitlines()
    assert header.split() == [
        "NAME",
        "ENV",
        "PHASE",
        "REASON",
        "ENDPOINT",
        "USED",
        "EXPIRES",
        "AGE",
    ]
    assert "Pending" in row
    assert "UnknownEnvironment" in row


def test_the_client_passes_on_the_api_servers_words(namespace: Namespace) -> None:
    with (
        pytest.raises(InstanceRejected, match=r"spec\.ttlSeconds"),
        TrainingSandbox(env_type="appworld", namespace=namespace.name, ttl_seconds=2592001),
    ):
        pass
    assert namespace.pods() == []
