"""The cache: whatever order news comes in, the newest stays."""

import pytest

from tests.operator import builders as build
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.situation import Refusal

KEY = Key("research", "demo")
REFUSAL = Refusal(build.CREATED, "PodRejected", "exceeded quota", failures=1)


@pytest.fixture
def changed() -> list[Key]:
    return []


@pytest.fixture
def cache(changed: list[Key]) -> Cache:
    return build.cache(changed.append)


def known(cache: Cache) -> TrainingInstance | None:
    return cache.situation(KEY, build.CATALOGUE).instance


def test_an_older_version_does_not_replace_a_newer_one(cache: Cache) -> None:
    newer = build.instance(resource_version=11, ttlSeconds=60)
    cache.store_instance(newer)
    cache.store_instance(build.instance(resource_version=10))
    assert known(cache) is newer


def test_a_version_without_a_difference_that_matters_is_no_change(
    cache: Cache, changed: list[Key]
) -> None:
    cache.store_instance(build.instance(resource_version=10))
    cache.store_instance(build.instance(resource_version=11))
    assert changed == [KEY]
    instance = known(cache)
    assert instance is not None
    assert instance.resource_version == 11, "a write would be refused as outdated"


def test_a_pod_changes_the_situation_of_its_owner(cache: Cache, changed: list[Key]) -> None:
    instance = build.instance()
    cache.store_instance(instance)
    pod = build.pod(instance)
    cache.store_pod(pod)
    assert changed == [KEY, KEY]
    assert cache.situation(KEY, build.CATALOGUE).pod == pod


def test_a_pod_that_is_gone_is_not_in_the_situation(cache: Cache, changed: list[Key]) -> None:
    instance = build.instance()
    cache.store_instance(instance)
    pod = build.pod(instance)
    cache.store_pod(pod)
    cache.remove_pod(pod.key, pod.uid)
    assert cache.situation(KEY, build.CATALOGUE).pods == ()
    assert changed == [KEY, KEY, KEY]


def test_the_end_of_an_earlier_object_does_not_remove_a_later_one(cache: Cache) -> None:
    instance = build.instance(uid="later")
    cache.store_instance(instance)
    pod = build.pod(instance, uid="later-pod")
    cache.store_pod(pod)
    cache.remove_instance(KEY, "earlier")
    cache.remove_pod(pod.key, "earlier-pod")
    assert cache.situation(KEY, build.CATALOGUE).pod == pod


def test_a_pod_whose_owner_is_replaced_belongs_to_the_later_owner(cache: Cache) -> None:
    first, second = build.instance(name="demo"), build.instance(name="other")
    pod = build.pod(first, resource_version=20)
    moved = build.pod_manifest(second, resource_version=21)
    moved["metadata"]["name"] = pod.key.name
    cache.store_pod(pod)
    cache.store_pod(type(pod).from_api(moved))
    assert cache.situation(KEY, build.CATALOGUE).pods == ()
    assert len(cache.situation(KEY._replace(name="other"), build.CATALOGUE).pods) == 1


def test_answers_are_forgotten_with_their_instance(cache: Cache) -> None:
    instance = build.instance()
    cache.store_instance(instance)
    cache.store_refusal(instance, REFUSAL)
    cache.store_answer(KEY, instance.uid, build.reply(build.CREATED))
    cache.store_instance(build.instance(uid="later", resource_version=50))
    situation = cache.situation(KEY, build.CATALOGUE)
    assert (situation.refusal, situation.answer) == (None, None)
    assert cache.answer_of(instance.uid) is None


def test_an_answer_that_comes_too_late_is_dropped(cache: Cache, changed: list[Key]) -> None:
    cache.store_answer(KEY, build.UID, build.reply(build.CREATED))
    assert cache.answer_of(build.UID) is None
    assert changed == []


def test_pods_without_their_instance_are_looked_at_too(cache: Cache) -> None:
    cache.store_instance(build.instance(name="alive"))
    cache.store_pod(build.pod(build.instance(name="gone")))
    assert {key.name for key in cache.all_keys()} == {"alive", "gone"}
