"""What people do with the Secrets of tokens, and with that of the key they are signed with."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.faults.support.case import case
from tests.faults.support.cluster import until
from tests.faults.support.objects import token_of
from tests.faults.support.seen import Object
from tests.faults.support.trial import OPERATORS, Rig, Trial
from tests.faults.support.workload import TOKEN_EDITS
from training_sandbox_operator.model.names import MANAGED_BY, MANAGED_BY_LABEL, token_secret_name

_KEPT = {"ttlSecondsAfterFinished": 3600}


@case("secrets deleted by hand")
async def secrets_deleted(rig: Rig) -> None:
    """A token comes back as it was, for the present incarnation; a finished task's does, too."""
    async with rig.trial("secrets deleted by hand") as trial:
        users = trial.workload
        names = [
            await users.create(),
            await users.claim(wait=True),
            await users.claim(wait=True, name="endless", taskId="t"),
            await users.create(name="played", taskId="t", **_KEPT),
        ]
        await users.settle(but=("played",))
        await until_phase(trial, "Finished", "played")
        before = await tokens(trial)
        for _ in range(2):
            await delete_tokens(trial)
            await until_there(trial, before)
        for name in names[:2]:
            await restart_server_of(trial, name)
        await users.settle(but=("played",))
        after = await tokens(trial)
        assert [name for name in names if before[name] != after[name]] == names[:2]
        for name in names[:2]:
            assert not await admits(trial, name, before[name])
        await delete_tokens(trial)
        await until_there(trial, after)
        await trial.conclude()


@case("secrets edited by hand")
async def secrets_edited(rig: Rig) -> None:
    """One that is as it should be stays; any other is written again, also if it is mended later."""
    async with rig.trial("secrets edited by hand") as trial:
        users = trial.workload
        names = [await users.create(), await users.claim(wait=True)]
        await users.settle()
        before = await tokens(trial)
        harmless, *others = TOKEN_EDITS
        kept = await secret_of(trial, names[0])
        await users.edit_token(kept, harmless)
        for edit in others:
            former = await secret_of(trial, names[1])
            await users.edit_token(former, edit)
            trial.faults += 1
            await until_replaced(trial, names[1], former)
        assert (await secret_of(trial, names[0]))["metadata"]["uid"] == kept["metadata"]["uid"]
        await until_there(trial, before)
        await trial.finish()


@case("secret relabelled and back", is_slow=True)
async def relabelled_and_back(rig: Rig) -> None:
    """The operator hears that it is gone, and finds that it is there."""
    async with rig.trial("secret relabelled and back") as trial:
        users = trial.workload
        name = await users.create()
        await users.settle()
        before = await tokens(trial)
        for _ in range(5):
            secret = await secret_of(trial, name)
            for value in (None, MANAGED_BY):
                await users.edit_token(secret, {"labels": {MANAGED_BY_LABEL: value}})
            trial.faults += 1
            await asyncio.sleep(trial.random.uniform(0, 1))
        await until_there(trial, before)
        await trial.finish()


@case("secret of a stranger", is_slow=True)
async def secret_of_a_stranger(rig: Rig) -> None:
    """It is not touched, whatever it is labelled; who has no token says so, and waits."""
    async with rig.trial("secret of a stranger") as trial:
        users = trial.workload
        told = await users.create("told")
        await users.settle()
        trial.operator.pause()
        await users.delete_token(await secret_of(trial, told))
        labels = {MANAGED_BY_LABEL: MANAGED_BY}
        strangers = [
            await make_secret(trial, token_secret_name(told)),
            await make_secret(trial, token_secret_name("plain")),
            await make_secret(trial, token_secret_name("labelled"), labels=labels),
        ]
        trial.faults = len(strangers)
        trial.operator.resume()
        names = [await users.create("plain"), await users.claim(wait=True, name="labelled")]
        await until_reason(trial, "TokenSecretConflict", *names)
        # Whoever has read its token goes on with it, until the server ends.
        assert [one["phase"] for one in await statuses(trial, [told])] == ["Ready"]
        await restart_server_of(trial, told)
        await until_reason(trial, "TokenSecretConflict", told, *names)
        trial.operator.kill()
        for secret in strangers:
            await users.delete_token(secret)
        await trial.finish()


@case("signing key deleted", is_slow=True)
async def signing_key_deleted(rig: Rig) -> None:
    """It is put back within a minute, and nothing is signed anew."""
    async with rig.trial("signing key deleted") as trial:
        users, cluster = trial.workload, rig.cluster
        names = [await users.create(), await users.claim(wait=True)]
        await users.settle()
        key = await cluster.call("GET", trial.signing_key)
        before = await uids_of_secrets(trial)
        await cluster.delete(trial.signing_key)
        trial.faults = 1
        names += [await users.create(), await users.claim(wait=True)]
        await users.settle()

        async def is_gone() -> str | None:
            return None if await cluster.get(trial.signing_key) else "it is gone"

        await until("the signing key is back", is_gone)
        assert (await cluster.call("GET", trial.signing_key))["data"] == key["data"]
        trial.operator.kill()
        await restart_server_of(trial, names[0])
        await users.settle()
        after = await uids_of_secrets(trial)
        assert {name for name in before if before[name] != after[name]} == {names[0]}
        await trial.finish()


@case("signing key replaced by hand")
async def signing_key_replaced(rig: Rig) -> None:
    """It counts from the next start. What was made before goes on with the former one."""
    async with rig.trial("signing key replaced by hand") as trial:
        users = trial.workload
        kept = [await users.create("kept"), await users.claim(wait=True, name="kept-claim")]
        lost = [await users.create("lost"), await users.claim(wait=True, name="lost-claim")]
        played = await users.claim(wait=True, name="played", taskId="t", **_KEPT)
        users.spared = {*kept, *lost, played}
        await until_phase(trial, "Finished", played)
        mute = await users.claim(wait=True, name="endless", taskId="t")
        await users.settle(but=(played,))
        before = await uids_of_secrets(trial)
        await replace_signing_key(trial, b"no key")
        # The one that runs goes on with the one that it has.
        names = [await users.create(), await users.claim(wait=True)]
        await users.settle(but=(played,))
        trial.operator.kill()
        await until_exited(trial, 64)
        await replace_signing_key(trial, Ed25519PrivateKey.generate().private_bytes_raw())
        names += [await users.create(), await users.claim(wait=True)]
        await users.settle(but=(played,))
        for name in lost:
            await restart_server_of(trial, name)
        await finish_task_of(trial, mute)
        await until_reason(trial, "SigningKeyLost", *lost)
        await until_reason(trial, "Unresponsive", mute)
        await users.settle(but=(played, mute, *lost))
        after = await uids_of_secrets(trial)
        assert {name for name in before if before[name] != after.get(name)} == set()
        await trial.conclude()


async def until_exited(trial: Trial, code: int) -> None:
    async def has_not() -> str | None:
        return None if code in trial.operator.exits else f"{trial.operator.exits}"

    await until(f"an operator has ended with {code}", has_not)


async def replace_signing_key(trial: Trial, data: bytes) -> None:
    """Put another Secret in the place of the one with the key."""
    cluster = trial.rig.cluster
    await cluster.delete(trial.signing_key)
    body = {
        "metadata": {"name": trial.namespace},
        "data": {"ed25519": base64.b64encode(data).decode()},
    }
    await cluster.call("POST", f"api/v1/namespaces/{OPERATORS}/secrets", body)
    trial.faults += 1


async def make_secret(trial: Trial, name: str, **metadata: Mapping[str, str]) -> Object:
    body = {"metadata": {"name": name, **metadata}, "stringData": {"token": "theirs"}}
    secret = await trial.rig.cluster.call("POST", trial.workload.secrets, body)
    trial.history.strangers.add(secret["metadata"]["uid"])
    return secret


async def secret_of(trial: Trial, name: str) -> Object:
    return await trial.rig.cluster.call(
        "GET", f"{trial.workload.secrets}/{token_secret_name(name)}"
    )


async def delete_tokens(trial: Trial) -> None:
    for secret in await trial.rig.cluster.items(trial.workload.secrets):
        await trial.workload.delete_token(secret)
        trial.faults += 1


async def tokens(trial: Trial) -> dict[str, str]:
    """The tokens of the namespace, by the name of the instance."""
    secrets = await trial.rig.cluster.items(trial.workload.secrets)
    return {one["metadata"]["ownerReferences"][0]["name"]: token_of(one) for one in secrets}


async def uids_of_secrets(trial: Trial) -> dict[str, str]:
    """What tells a Secret from a later one, by the name of the instance."""
    secrets = await trial.rig.cluster.items(trial.workload.secrets)
    return {
        one["metadata"]["ownerReferences"][0]["name"]: one["metadata"]["uid"] for one in secrets
    }


async def until_there(trial: Trial, expected: Mapping[str, str]) -> None:
    async def are_not() -> str | None:
        present = await tokens(trial)
        others = [name for name in expected if present.get(name) != expected[name]]
        return f"not there, or not as they were: {others}" if others else None

    await until("the tokens are there", are_not)


async def until_replaced(trial: Trial, name: str, former: Object) -> None:
    path = f"{trial.workload.secrets}/{token_secret_name(name)}"

    async def is_not() -> str | None:
        secret = await trial.rig.cluster.get(path)
        is_another = secret is not None and secret["metadata"]["uid"] != former["metadata"]["uid"]
        return None if is_another else f"{secret}"

    await until("another Secret is written", is_not)


async def statuses(trial: Trial, names: Sequence[str]) -> list[Object]:
    listed = await trial.rig.cluster.items(trial.workload.instances)
    return [one.get("status", {}) for one in listed if one["metadata"]["name"] in names]


async def until_phase(trial: Trial, phase: str, *names: str) -> None:
    async def is_not() -> str | None:
        phases = {one.get("phase") for one in await statuses(trial, names)}
        return None if phases == {phase} else f"{phases}"

    await until(f"{names} are {phase}", is_not)


async def until_reason(trial: Trial, reason: str, *names: str) -> None:
    async def is_not() -> str | None:
        found = await statuses(trial, names)
        reasons = {one["conditions"][0]["reason"] for one in found if "conditions" in one}
        return None if reasons == {reason} and len(found) == len(names) else f"{found}"

    await until(f"{names} say {reason}", is_not)


async def restart_server_of(trial: Trial, name: str) -> None:
    """Restart the server of an instance, and wait until its kubelet tells of it."""
    (status,) = await statuses(trial, [name])
    path = f"{trial.workload.pods}/{status['podName']}"
    pod = await trial.rig.cluster.call("GET", path)
    trial.rig.node.restart(pod)

    async def is_not_restarted() -> str | None:
        (container,) = (await trial.rig.cluster.call("GET", path))["status"]["containerStatuses"]
        is_again = container["restartCount"] and container["ready"]
        return None if is_again else f"{container}"

    await until("the server is started again", is_not_restarted)


async def finish_task_of(trial: Trial, name: str) -> None:
    (status,) = await statuses(trial, [name])
    server = trial.rig.node.server(status["podUID"])
    assert server is not None
    await trial.rig.node.finish_task(server)


async def admits(trial: Trial, name: str, token: str) -> bool:
    """Whether the server of an instance admits who bears a token."""
    (status,) = await statuses(trial, [name])
    server = trial.rig.node.server(status["podUID"])
    return server is not None and server.admits(token)
