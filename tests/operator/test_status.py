"""The status: stable, and honest about when things changed."""

from typing import Any

from tests.operator import builders as build
from tests.operator.builders import after
from training_sandbox_operator.decisions.pod_state import Ending, ending_of
from training_sandbox_operator.decisions.status import build_status, endpoint_of
from training_sandbox_operator.decisions.verdict import Verdict, judge
from training_sandbox_operator.model.pod import Pod, Termination
from training_sandbox_operator.model.reasons import Phase


def status_of(
    pod_status: dict[str, Any] | None,
    *,
    seconds: float = 20,
    before: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    instance = build.instance(**spec, status=before)
    pods = [build.pod(instance, status=pod_status)] if pod_status is not None else []
    known = build.situation(instance, *pods)
    verdict = judge(known, instance, after(seconds))
    return build_status(instance, known.pod, verdict, None, after(seconds))


def test_the_same_input_gives_an_equal_status_at_any_later_time() -> None:
    first = status_of(build.serving(), seconds=20)
    assert status_of(build.serving(), seconds=9000, before=first) == first


def test_a_condition_that_stays_keeps_its_time_though_its_reason_changes() -> None:
    booting = build.pod_status(state=build.running(after(20)), started=False)
    first = status_of({"phase": "Pending"}, seconds=1)
    second = status_of(booting, seconds=20, before=first)
    assert second["conditions"][0]["reason"] == "Booting"
    assert second["conditions"][0]["lastTransitionTime"] == "2026-01-01T12:00:01Z"


def test_a_condition_that_changes_has_a_new_time() -> None:
    first = status_of({"phase": "Pending"}, seconds=1)
    second = status_of(build.serving(), seconds=20, before=first)
    assert second["conditions"][0]["lastTransitionTime"] == "2026-01-01T12:00:20Z"


def test_the_first_time_of_readiness_stays() -> None:
    first = status_of(build.serving(), seconds=20)
    down = build.pod_status(state=build.waiting("CrashLoopBackOff"), lastState=build.terminated())
    second = status_of(down, seconds=30, before=first)
    third = status_of(build.serving(), seconds=40, before=second)
    assert third["readyAt"] == "2026-01-01T12:00:20Z"


def test_what_was_seen_of_a_pod_stays_when_it_is_gone() -> None:
    first = status_of(build.serving())
    second = status_of(None, before=first)
    assert second["phase"] == "Failed"
    for name in ("podName", "podUID", "nodeName", "incarnation", "readyAt"):
        assert second[name] == first[name]


def test_there_is_no_endpoint_before_the_server_runs() -> None:
    creating = build.pod_status(phase="Pending", state=build.waiting("ContainerCreating"))
    assert "endpoint" not in status_of(creating)


def test_the_generation_that_was_seen_is_told() -> None:
    assert status_of(build.serving(), generation=7)["observedGeneration"] == 7


def test_only_a_bound_task_has_a_condition_finished() -> None:
    kinds = [one["type"] for one in status_of(build.serving())["conditions"]]
    assert kinds == ["Ready"]
    kinds = [one["type"] for one in status_of(build.serving(), taskId="t")["conditions"]]
    assert kinds == ["Ready", "Finished"]


def test_the_kubelets_two_wordings_of_a_failed_pull_do_not_alternate() -> None:
    def pulling(reason: str, message: str) -> dict[str, Any]:
        return build.pod_status(phase="Pending", state=build.waiting(reason, message))

    first = status_of(pulling("ErrImagePull", "manifest unknown"))
    second = status_of(pulling("ImagePullBackOff", "Back-off pulling image"), before=first)
    assert second == first


def test_an_ipv6_endpoint_is_a_url() -> None:
    pod = build.pod(build.instance(), status=build.pod_status(ip="fd00::7"))
    assert endpoint_of(pod) == "http://[fd00::7]:8000"


def test_the_expiry_moves_with_the_specification() -> None:
    first = status_of(build.serving())
    second = status_of(build.serving(), before=first, ttlSeconds=60)
    assert second["expiresAt"] == "2026-01-01T12:01:00Z"


def test_long_last_words_are_cut() -> None:
    assert len(ending_of(Termination(1, "Error", "x" * 5000, None)).message) == 1024


def test_a_message_that_the_api_server_would_refuse_is_cut() -> None:
    verdict = Verdict(Phase.PENDING, "PodRejected", "x" * 40_000)
    status = build_status(build.instance(), None, verdict, None, build.CREATED)
    assert len(status["conditions"][0]["message"]) == 32768


def test_an_ending_without_words_is_its_exit_code() -> None:
    termination = Termination(3, "Error", "", None)
    assert ending_of(termination) == Ending("ServerExited", "")
    assert ending_of(termination).describe(termination) == "exit code 3, ServerExited"


def test_a_pod_without_a_startup_probe_is_read_with_the_default() -> None:
    manifest = build.pod_manifest(build.instance())
    del manifest["spec"]["containers"][0]["startupProbe"]
    assert Pod.from_api(manifest).startup.total_seconds() == 180
