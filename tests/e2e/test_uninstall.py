"""`helm uninstall`, and installing again: what goes, what stays, and who goes on with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lightkube import Client

from tests.e2e.conftest import Solutions
from tests.e2e.support.cluster import Namespace, kubectl, own_namespace, wait_until
from tests.e2e.support.play import action
from tests.e2e.support.release import SYSTEM, helm, put_back_afterwards, upgrade
from training_sandbox import TrainingSandbox

pytestmark = pytest.mark.alone

OF_HELM = (
    "deployments,configmaps,services,serviceaccounts,roles,rolebindings,clusterroles,"
    "clusterrolebindings,networkpolicies,poddisruptionbudgets,validatingadmissionpolicies,"
    "validatingadmissionpolicybindings"
)
OF_USERS = ("TrainingInstance", "TrainingPool", "Pod", "Secret")
OUR_KINDS = ("traininginstances", "trainingpools", "operatorleaders")
LEASE = "lease/training-sandbox"
LEADER = "operatorleader/training-sandbox"
SIGNING_KEY = "secret/training-sandbox-signing-key"


def found(*what: str) -> dict[str, str]:
    """The UIDs of what `kubectl get` finds, by kind and name."""
    each = "{.kind}/{.metadata.name}={.metadata.uid} "
    path = f"jsonpath={{range .items[*]}}{each}{{end}}"
    words = kubectl("get", *what, "--output", path).split()
    return dict(word.split("=", 1) for word in words)


def of_users(namespace: Namespace) -> dict[str, str]:
    return found(",".join(OF_USERS), "--namespace", namespace.name)


def signing_key() -> dict[str, str]:
    answer = kubectl("get", SIGNING_KEY, "--namespace", SYSTEM, "--output", "json")
    return json.loads(answer)["data"]


@dataclass(frozen=True)
class Seen:
    """What there is at one time: UIDs by kind and name."""

    of_helm: dict[str, str]
    crds: dict[str, str]
    of_the_operator: dict[str, str]
    of_users: dict[str, str]
    signing_key: dict[str, str]


def look(namespace: Namespace) -> Seen:
    selector = ("--selector", "app.kubernetes.io/instance=training-sandbox")
    return Seen(
        of_helm=found(OF_HELM, "--all-namespaces", *selector),
        crds=found("crd", *(f"{kind}.trainingsandbox.dev" for kind in OUR_KINDS)),
        of_the_operator=found(LEASE, LEADER, SIGNING_KEY, "--namespace", SYSTEM),
        of_users=of_users(namespace),
        signing_key=signing_key(),
    )


@pytest.fixture(scope="module")
def namespace(api: Client) -> Iterator[Namespace]:
    with own_namespace(api) as mine:
        yield mine


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with put_back_afterwards(tmp_path_factory.mktemp("release") / "values.json") as file:
        yield file


@dataclass(frozen=True)
class Uninstalled:
    before: Seen
    after: Seen
    left_of_the_given_up: dict[str, str]
    """Of the instance `given-up`, which was deleted since."""
    box: TrainingSandbox
    """Calls the server of the instance `playing`."""
    episode: str
    """Begun before, and played by one step since."""
    rest: list[str]
    """How it is played on."""


@pytest.fixture(scope="module")
def uninstalled(values: Path, namespace: Namespace, solutions: Solutions) -> Iterator[Uninstalled]:
    """The release was uninstalled, and meanwhile users went on: what they had, and have."""
    task_id, solution = next(iter(solutions.items()))
    first, *rest = solution["right"]
    namespace.apply_pool("warm", replicas=2)
    namespace.apply("playing", envType="appworld", slots=1)
    namespace.apply("given-up")
    for name in ("playing", "given-up"):
        namespace.wait_phase(name, "Ready")
    namespace.wait_warm("warm", 2)
    with TrainingSandbox.attach("playing", namespace=namespace.name) as box:
        episode = box.create_instance(task_id=task_id)["info"]["instance_id"]
        before = look(namespace)
        helm("uninstall", "training-sandbox", "--wait")
        after = look(namespace)
        box.step(episode, action(first))
        namespace.apply("late", poolRef={"name": "warm"})
        kubectl("delete", "ti", "given-up", "--namespace", namespace.name)
        given_up = [name for name in before.of_users if "/given-up" in name]
        kubectl(
            *("wait", "--for=delete", "--timeout=60s", "--namespace", namespace.name, *given_up),
            check=False,
        )
        left = {name: uid for name, uid in of_users(namespace).items() if name in given_up}
        yield Uninstalled(before, after, left, box, episode, rest)


@pytest.fixture(scope="module")
def reinstalled(uninstalled: Uninstalled, values: Path) -> Uninstalled:
    """It was installed again after that."""
    upgrade(values)
    return uninstalled


def test_all_that_helm_made_goes_but_the_definitions(uninstalled: Uninstalled) -> None:
    assert uninstalled.before.of_helm
    assert uninstalled.after.of_helm == {}
    assert len(uninstalled.before.crds) == len(OUR_KINDS)
    assert uninstalled.after.crds == uninstalled.before.crds


def test_what_the_operator_made_for_itself_stays(uninstalled: Uninstalled) -> None:
    assert len(uninstalled.before.of_the_operator) == 3
    assert uninstalled.after.of_the_operator == uninstalled.before.of_the_operator
    assert uninstalled.after.signing_key == uninstalled.before.signing_key


@pytest.mark.parametrize("kind", OF_USERS)
def test_what_users_have_stays(kind: str, uninstalled: Uninstalled) -> None:
    before, after = (
        {name: uid for name, uid in seen.of_users.items() if name.startswith(f"{kind}/")}
        for seen in (uninstalled.before, uninstalled.after)
    )
    assert before
    assert after == before


def test_an_instance_deleted_with_no_operator_goes_with_its_pod_and_secret(
    uninstalled: Uninstalled,
) -> None:
    had = {name.partition("/")[0] for name in uninstalled.before.of_users if "/given-up" in name}
    assert had == {"TrainingInstance", "Pod", "Secret"}
    assert uninstalled.left_of_the_given_up == {}


def test_an_episode_goes_on_with_no_operator_and_with_the_next(
    reinstalled: Uninstalled, namespace: Namespace
) -> None:
    box, episode = reinstalled.box, reinstalled.episode
    answers = [box.step(episode, action(code)) for code in reinstalled.rest]
    assert answers[-1]["reward"] == 1.0
    pod = namespace.status("playing")
    assert reinstalled.before.of_users[f"Pod/{pod['podName']}"] == pod["podUID"]


def test_a_claim_made_meanwhile_gets_a_warm_pod_of_before(
    reinstalled: Uninstalled, namespace: Namespace
) -> None:
    claimed = namespace.wait_phase("late", "Ready")
    assert reinstalled.before.of_users[f"Pod/{claimed['podName']}"] == claimed["podUID"]
    with TrainingSandbox.attach("late", namespace=namespace.name) as box:
        assert box.get_env_profile()
    namespace.wait_warm("warm", 2)


def test_tokens_are_signed_with_the_key_of_before(
    reinstalled: Uninstalled, namespace: Namespace
) -> None:
    secret, token = namespace.status("playing")["tokenSecret"], namespace.token_of("playing")
    kubectl("delete", "secret", secret, "--namespace", namespace.name)
    wait_until("the Secret is back", lambda: namespace.secret(secret), seconds=90)
    assert namespace.token_of("playing") == token
    assert signing_key() == reinstalled.before.signing_key
