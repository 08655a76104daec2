"""Who may call a server that knows the operator's public key."""

import base64
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from training_sandbox_server.bearer_tokens import Doorkeeper, Role
from training_sandbox_server.errors import ForbiddenError, UnauthorizedError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGERS_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC_KEY = base64.urlsafe_b64encode(KEY.public_key().public_bytes_raw()).decode().rstrip("=")
POD = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
VERBS = ("step", "create", "get_env_profile", "evaluate", "trajectory", "status")


def token(incarnation=f"{POD}-2", role="client", key=KEY, **claims):
    return jwt.encode(
        {"aud": incarnation, "sub": "instance", "role": role, **claims}, key, algorithm="EdDSA"
    )


def operators(incarnation=f"{POD}-2", seconds=60, **more):
    return token(incarnation, "operator", exp=int(time.time()) + seconds, **more)


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def unsigned(**header):
    """A token that says itself how it is to be checked."""
    parts = ({"typ": "JWT", **header}, {"aud": f"{POD}-2", "sub": "instance", "role": "client"})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return b".".join(encoded).decode() + "."


REFUSED = {
    "nothing": {},
    "no token": {"Authorization": "Bearer"},
    "another scheme": {"Authorization": f"Basic {token()}"},
    "no signature": bearer(unsigned(alg="none")),
    "a signature by the public key": bearer(jwt.encode({"aud": f"{POD}-2"}, "x" * 32, "HS256")),
    "another's signature": bearer(token(key=STRANGERS_KEY)),
    "another pod's": bearer(token("11112222-0000-0000-0000-000000000000-0")),
    "an earlier incarnation's": bearer(token(f"{POD}-1")),
    "no number's": bearer(token(f"{POD}-x")),
    "a number's alone": bearer(token("2")),
    "no incarnation's": bearer(jwt.encode({"sub": "i", "role": "client"}, KEY, "EdDSA")),
    "another role's": bearer(token(role="admin")),
    "the operator's, expired": bearer(operators(seconds=-120)),
    "the operator's, for ever": bearer(token(role="operator")),
    "bytes that are no text": {"Authorization": b"Bearer \xff\xfe"},
    "far too long": bearer("x" * 20_000),
}


@pytest.fixture(scope="module")
def guarded(run_server, tmp_path_factory):
    state = tmp_path_factory.mktemp("guarded")
    # It was started twice before.
    (state / "starts").write_text("2\n")
    settings = {"SANDBOX_TOKEN_PUBLIC_KEY": PUBLIC_KEY, "SANDBOX_POD_UID": POD}
    with run_server({"SANDBOX_STATE_DIR": str(state), **settings}) as server:
        yield server.wait_until_ready()


def test_a_client_with_its_token_plays(guarded):
    guarded.http.headers.update(bearer(token()))
    episode = guarded.create()
    assert guarded.observe(episode, "add 2")
    guarded.post("release", instance_id=episode)
    del guarded.http.headers["Authorization"]


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED.keys())
def test_without_a_token_of_this_incarnation_every_call_has_the_same_answer(guarded, headers):
    answers = [guarded.http.post(f"/{verb}", json={}, headers=headers) for verb in VERBS]
    answers.append(guarded.http.post(f"{guarded.url}//step/", content=b"no JSON", headers=headers))
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.text for answer in answers} == {guarded.http.get("/status").text}
    body = answers[0].json()
    assert (body["success"], body["error"]["type"]) == (False, "unauthorized")
    assert "status.tokenSecret" in body["detail"]
    assert answers[0].headers["www-authenticate"].startswith("Bearer")


def test_who_has_no_token_learns_nothing_of_paths_and_episodes(guarded):
    unknown = guarded.http.get("/no/such/path")
    assert (unknown.status_code, unknown.text) == (401, guarded.http.get("/status").text)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "//readyz/"])
def test_probes_and_counts_need_no_token(guarded, path):
    assert guarded.http.get(f"{guarded.url}{path}").status_code == 200


def test_only_the_operator_binds_and_it_does_not_play(guarded):
    task = {"task_id": "count-to-3", "instance_id": "bound"}
    refused = guarded.http.post("/bind", json=task, headers=bearer(token()))
    assert (refused.status_code, refused.json()["error"]["type"]) == (403, "forbidden")
    played = guarded.http.post("/create", json=task, headers=bearer(operators()))
    assert (played.status_code, played.json()["error"]["type"]) == (403, "forbidden")
    assert guarded.http.get("/status", headers=bearer(operators())).status_code == 200


def test_a_body_is_not_awaited_from_those_who_may_not_call(guarded):
    def never_ending():
        for _ in range(64):
            yield b"x" * 65_536

    answer = guarded.http.post("/step", content=never_ending())
    assert answer.status_code == 401


def test_no_token_is_in_the_log(guarded):
    guarded.http.get("/status", headers=bearer(token(key=STRANGERS_KEY)))
    guarded.http.get("/status", headers=bearer(token()))
    assert "eyJ" not in guarded.log


@pytest.fixture
def doorkeeper():
    return Doorkeeper(KEY.public_key(), f"{POD}-2")


@given(st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_whatever_is_sent_it_is_refused_and_nothing_else(text):
    doorkeeper = Doorkeeper(KEY.public_key(), f"{POD}-2")
    for header in (text, f"Bearer {text}", f"bearer {text}.{text}.{'A' * 86}"):
        with pytest.raises(UnauthorizedError):
            doorkeeper.check("/step", header)


@given(st.integers(0, 10_000))
def test_a_token_with_one_character_changed_is_refused_also_after_the_right_one(place):
    doorkeeper = Doorkeeper(KEY.public_key(), f"{POD}-2")
    right = token()
    doorkeeper.check("/step", f"Bearer {right}")
    # The last character of a signature has bits to spare.
    place %= len(right) - 1
    wrong = right[:place] + ("A" if right[place] != "A" else "B") + right[place + 1 :]
    with pytest.raises(UnauthorizedError):
        doorkeeper.check("/step", f"Bearer {wrong}")
    doorkeeper.check("/step", f"Bearer {right}")


def test_a_token_that_was_good_does_not_open_what_its_role_may_not(doorkeeper):
    for _ in range(2):
        doorkeeper.check("/step", f"Bearer {token()}")
        with pytest.raises(ForbiddenError):
            doorkeeper.check("/bind", f"Bearer {token()}")


def test_a_run_of_the_container_that_never_became_a_server_does_not_lock_clients_out(doorkeeper):
    doorkeeper.check("/step", f"Bearer {token(f'{POD}-3')}")


@pytest.mark.parametrize("after_a_good_one", [False, True])
@pytest.mark.parametrize(
    "sent", [None, "Bearer", "Bearer x", "Bearer a.b.c", f"Bearer {token(key=STRANGERS_KEY)}"]
)
def test_whatever_is_refused_costs_one_comparison_in_constant_time_and_one_signature(
    doorkeeper, monkeypatch, sent, after_a_good_one
):
    if after_a_good_one:
        doorkeeper.check("/step", f"Bearer {token()}")
    compare, decode, costs = hmac.compare_digest, jwt.decode, []

    def compared(one, other):
        costs.append(("compare", len(one)))
        return compare(one, other)

    def decoded(*arguments, **options):
        costs.append("signature")
        return decode(*arguments, **options)

    monkeypatch.setattr(hmac, "compare_digest", compared)
    monkeypatch.setattr(jwt, "decode", decoded)
    with pytest.raises(UnauthorizedError):
        doorkeeper.check("/step", sent)
    assert costs == [("compare", 32), "signature"]


def test_a_token_that_was_good_is_known_again_by_one_comparison_in_constant_time(
    doorkeeper, monkeypatch
):
    doorkeeper.check("/step", f"Bearer {token()}")
    compare, compared = hmac.compare_digest, []
    monkeypatch.setattr(
        hmac, "compare_digest", lambda *both: compared.append(both) or compare(*both)
    )
    monkeypatch.setattr(jwt, "decode", None)
    doorkeeper.check("/step", f"Bearer {token()}")
    assert len(compared) == 1


def test_every_path_is_open_to_one_role_at_least():
    for path in ("/step", "/bind", "/status"):
        assert any(role.may_call(path) for role in Role)
