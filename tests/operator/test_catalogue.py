"""The catalogue: what is wrong with it is said with the field's name."""

from pathlib import Path

import pytest

from training_sandbox_operator.control.catalogue_file import CatalogueFile
from training_sandbox_operator.model.catalogue import (
    CatalogueError,
    load_catalogue,
    parse_catalogue,
)

FULL = """
environments:
  appworld:
    image: training-sandbox/appworld:0.1.0
    imagePullPolicy: IfNotPresent
    slots: 16
    resources: {requests: {cpu: 250m, memory: 1Gi}, limits: {cpu: 2, memory: 6Gi}}
    tmpSize: 1Gi
    startupSeconds: 180
    env: [{name: LANG, value: C.UTF-8}]
    volumes: [{name: world, emptyDir: {}}]
    volumeMounts: [{name: world, mountPath: /opt/world}]
"""


def entry(*lines: str) -> str:
    indented = "".join(f"    {line}\n" for line in lines)
    return f"environments:\n  appworld:\n    image: x\n{indented}"


def test_a_full_entry_is_read() -> None:
    appworld = parse_catalogue(FULL).get("appworld")
    assert appworld is not None
    assert appworld.image == "training-sandbox/appworld:0.1.0"
    assert appworld.resources.limits == {"cpu": "2", "memory": "6Gi"}
    assert appworld.startup_seconds == 180


def test_an_entry_needs_only_an_image() -> None:
    appworld = parse_catalogue(entry()).get("appworld")
    assert appworld is not None
    assert (appworld.slots, appworld.tmp_size, appworld.startup_seconds) == (16, "1Gi", 180)


def test_names_are_sorted_for_messages() -> None:
    text = "environments: {webshop: {image: x}, appworld: {image: y}}"
    assert parse_catalogue(text).names == ("appworld", "webshop")


def test_what_may_be_overridden_is_read() -> None:
    allowed = parse_catalogue(f"{entry()}allowed: {{images: ['x/*'], labels: [team]}}").allowed
    assert (allowed.images, allowed.labels, allowed.annotations) == (("x/*",), ("team",), ())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a mapping with the key environments"),
        ("[]", "expected a mapping with the key environments"),
        ("a: {b", "not YAML"),
        ("{}", "environments: Field required"),
        ("environments: {appworld: {}}", "environments.appworld.image: Field required"),
        ("environments: {App World: {image: x}}", "environments.App World"),
        (entry("slots: 0"), "environments.appworld.slots: Input should be greater than or equal"),
        (entry("slots: 257"), "environments.appworld.slots: Input should be less than or equal"),
        (entry("startupSeconds: soon"), "environments.appworld.startupSeconds"),
        (entry("imagePullPolicy: Sometimes"), "'Always', 'IfNotPresent' or 'Never'"),
        (entry("tmpSize: huge"), "environments.appworld.tmpSize"),
        (entry("resources: {limits: {cpu: lots}}"), "environments.appworld.resources.limits.cpu"),
        (entry("env: [{name: 1A, value: x}]"), "environments.appworld.env.0.name"),
        (entry("imge: y"), "environments.appworld.imge: unknown field; allowed are image, "),
        ("environment: {}", "environment: unknown field; allowed are environments"),
        (entry("resources: {limit: {}}"), "unknown field; allowed are requests, limits"),
        (entry("env: [{name: A, valu: x}]"), "unknown field; allowed are name, value, valueFrom"),
        (entry("imagePullSecrets: [{nme: x}]"), "unknown field; allowed are name"),
        (f"{entry()}allowed: {{image: [x]}}", "allowed.image: unknown field; allowed are images, "),
        (f"{entry()}allowed: {{images: ['a?']}}", "allowed.images.0"),
    ],
)
def test_what_is_wrong_is_named(text: str, told: str) -> None:
    with pytest.raises(CatalogueError) as raised:
        parse_catalogue(text, source="catalogue.yaml")
    assert told in str(raised.value)
    assert "catalogue.yaml" in str(raised.value)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(CatalogueError) as raised:
        parse_catalogue(entry("slots: 0", "tmpSize: huge"))
    assert len(str(raised.value).splitlines()) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"absent\.yaml"):
        load_catalogue(tmp_path / "absent.yaml")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.yaml"
    path.write_text(entry())
    return path


def test_a_changed_file_is_read_again(path: Path) -> None:
    file = CatalogueFile(path)
    path.write_text(entry("slots: 4"))
    assert file.reload()
    assert file.current().environments["appworld"].slots == 4


def test_an_unchanged_file_is_no_change(path: Path) -> None:
    assert not CatalogueFile(path).reload()


def test_a_file_that_became_wrong_leaves_the_catalogue_as_it_was(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = CatalogueFile(path)
    path.write_text(entry("slots: 0"))
    assert not file.reload()
    assert not file.reload()
    assert file.current().environments["appworld"].slots == 16
    assert caplog.text.count("appworld.slots") == 1
