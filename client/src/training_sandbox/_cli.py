"""The command ``tsb``: what a person does with sandboxes from a terminal."""

from __future__ import annotations

import sys
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import anyio
import typer
from rich.console import Console
from rich.table import Table

from training_sandbox._exceptions import InstanceNotFound, InvalidRequest, TrainingSandboxError
from training_sandbox._instance import ClusterAccess
from training_sandbox._readiness import describe
from training_sandbox._scaffold import is_in_repository, new_environment
from training_sandbox._sync import TrainingSandbox
from training_sandbox._version import __version__

if TYPE_CHECKING:
    from training_sandbox._manifest import Instance

EXIT_FAILED = 1
EXIT_INVALID = 2

_HOURS_WITHOUT_MINUTES = 10

app = typer.Typer(
    name="tsb",
    help="RL training sandboxes on Kubernetes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

env_app = typer.Typer(help="Environments of your own.", no_args_is_help=True)
app.add_typer(env_app, name="env")

Namespace: TypeAlias = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Default: the context's.")
]
Kubeconfig: TypeAlias = Annotated[
    str | None, typer.Option(help="Path of a kubeconfig. Default: as kubectl finds it.")
]
Context: TypeAlias = Annotated[
    str | None, typer.Option(help="Context of the kubeconfig. Default: the current one.")
]
Endpoint: TypeAlias = Annotated[str | None, typer.Option(help="URL of a running server.")]
Local: TypeAlias = Annotated[bool, typer.Option("--local", help="Start a server here for this.")]
InstanceName: TypeAlias = Annotated[str, typer.Argument(help="Name of the instance.")]


@app.callback(invoke_without_command=True)
def version(
    *, show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False
) -> None:
    """RL training sandboxes on Kubernetes."""
    if show:
        typer.echo(__version__)
        raise typer.Exit


@app.command(
    epilog="Examples:\n\n"
    "tsb tasks --local --split dev\n\n"
    "tsb tasks --name my-sandbox\n\n"
    "tsb tasks --endpoint http://127.0.0.1:8000"
)
def tasks(
    *,
    env: Annotated[str, typer.Option(help="The environment.")] = "appworld",
    split: Annotated[str, typer.Option(help="Split of the environment's tasks.")] = "train",
    endpoint: Endpoint = None,
    local: Local = False,
    name: Annotated[str | None, typer.Option(help="Ask an instance that exists.")] = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Print the ids of a split's tasks, one a line.

    Without --endpoint, --local and --name an instance is created for this and deleted again.
    """
    if name is not None and (local or endpoint is not None):
        raise InvalidRequest("--name, --local and --endpoint: use one of them")
    if name is not None:
        sandbox = TrainingSandbox.attach(
            name, namespace=namespace, kubeconfig=kubeconfig, context=context
        )
    else:
        sandbox = TrainingSandbox(
            env,
            endpoint=endpoint,
            local=local,
            namespace=namespace,
            kubeconfig=kubeconfig,
            context=context,
        )
    with sandbox as box:
        for task_id in box.get_env_profile(None if name else env, split):
            typer.echo(task_id)


@app.command(
    epilog="Examples:\n\n"
    "tsb check\n\n"
    "tsb check --env appworld --namespace research\n\n"
    "tsb check --endpoint http://127.0.0.1:8000\n\n"
    "tsb check --local"
)
def check(
    *,
    env: Annotated[str, typer.Option(help="The environment.")] = "appworld",
    endpoint: Endpoint = None,
    local: Local = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Play one step of one episode, to see that everything from here to a reward works."""
    with TrainingSandbox(
        env,
        endpoint=endpoint,
        local=local,
        namespace=namespace,
        kubeconfig=kubeconfig,
        context=context,
    ) as box:
        task_id = box.get_env_profile(env)[0]
        with box.episode(task_id) as episode:
            episode.step("```python\nprint('hello')\n```")
            reward = episode.evaluate()
    typer.echo(f"{env} works: task {task_id} was opened, stepped, evaluated ({reward:g}), released")


@app.command("list", epilog="Example:\n\ntsb list --all-namespaces")
def list_instances(
    *,
    every: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")
    ] = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show instances: where they are, until when, and if not ready, why."""

    async def listed() -> list[Instance]:
        cluster = await ClusterAccess(kubeconfig, context, namespace).connect()
        return await cluster.list(all_namespaces=every)

    columns = ["NAME", "ENV", "TASK", "PHASE", "AGE", "EXPIRES IN", "ENDPOINT"]
    table = Table(*(["NAMESPACE", *columns] if every else columns), box=None, pad_edge=False)
    for instance in sorted(anyio.run(listed), key=lambda item: (item.namespace, item.name)):
        cells = [
            instance.name,
            instance.env_type,
            instance.task_id or "-",
            describe(instance),
            _duration(_seconds_since(instance.created_at)),
            _duration(_seconds_until(instance.expires_at)),
            instance.endpoint or "-",
        ]
        table.add_row(*([instance.namespace, *cells] if every else cells))
    # Into a pipe, lines are not cut to a width.
    Console(width=None if sys.stdout.isatty() else 1000).print(table)


@app.command(
    epilog="Examples:\n\n"
    "tsb create my-sandbox --env appworld --slots 32\n\n"
    "tsb create --task 82e2fac_1"
)
def create(
    *,
    name: Annotated[str | None, typer.Argument(help="Default: <env>-<random>.")] = None,
    env: Annotated[str, typer.Option(help="The environment.")] = "appworld",
    task: Annotated[str | None, typer.Option(help="Open this one task.")] = None,
    slots: Annotated[int | None, typer.Option(help="Episodes at once, 1 to 256.")] = None,
    image: Annotated[str | None, typer.Option(help="Image instead of the catalogue's.")] = None,
    ttl: Annotated[int | None, typer.Option(help="Longest life in seconds.")] = None,
    idle_timeout: Annotated[
        int | None, typer.Option(help="Life in seconds without a call of an episode.")
    ] = None,
    ready_timeout: Annotated[float, typer.Option(help="Seconds to wait until ready.")] = 600.0,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Create an instance, wait until it is ready, leave it running, and print its name."""
    sandbox = TrainingSandbox(
        env,
        name=name,
        task_id=task,
        slots=slots,
        image=image,
        ttl_seconds=ttl,
        idle_timeout_seconds=idle_timeout,
        ready_timeout=ready_timeout,
        namespace=namespace,
        kubeconfig=kubeconfig,
        context=context,
        keep=True,
    )
    with sandbox as box:
        typer.echo(box.name)


@app.command(epilog="Example:\n\ntsb delete my-sandbox another")
def delete(
    names: Annotated[list[str], typer.Argument(help="Names of the instances.")],
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Delete instances, with everything that runs in them."""

    async def deleted() -> list[str]:
        cluster = await ClusterAccess(kubeconfig, context, namespace).connect()
        return [name for name in names if not await cluster.delete(name)]

    if missing := anyio.run(deleted):
        raise InstanceNotFound(f"there is no TrainingInstance {', '.join(missing)}")


@app.command(epilog="Examples:\n\ntsb logs my-sandbox\n\ntsb logs --follow --tail 20 my-sandbox")
def logs(
    name: InstanceName,
    *,
    lines: Annotated[int, typer.Option("--tail", help="How many of the last lines.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Print the log of an instance's server."""

    async def printed() -> None:
        cluster = await ClusterAccess(kubeconfig, context, namespace).connect()
        instance = await cluster.read(name)
        if not instance.pod_name:
            raise InvalidRequest(f"instance {name} has no pod yet ({describe(instance)})")
        log = cluster.pod_log(instance.pod_name, lines, follow=follow)
        async with aclosing(log) as log_lines:
            async for line in log_lines:
                typer.echo(line)

    anyio.run(printed)


@env_app.command(
    "new", epilog="Examples:\n\ntsb env new chess\n\ntsb env new chess --directory games"
)
def new_env(
    name: Annotated[str, typer.Argument(help="A DNS label, such as text-world.")],
    *,
    directory: Annotated[
        Path | None,
        typer.Option(help="Default: NAME; in this repository, sandbox_image/environments/NAME."),
    ] = None,
) -> None:
    """Lay out an environment that works, to be changed into one of yours.

    It is a package with tasks, examples, tests, a Dockerfile and a catalogue entry. Nothing that is
    there is overwritten.
    """
    folder = new_environment(name, directory, Path.cwd())
    typer.echo(f"{folder} is there. Next:")
    if is_in_repository(folder):
        typer.echo(f"  make env-check ENV={name}")
    else:
        # docs/environments.md says what TRAINING_SANDBOX is.
        packages = "$TRAINING_SANDBOX/sandbox_image/{worker,server,conformance}"
        typer.echo(f"  cd {folder}")
        typer.echo("  uv venv")
        typer.echo(f"  uv pip install --editable . pytest {packages}")
        typer.echo(f"  .venv/bin/training-sandbox-conformance {name}")


def main() -> None:
    """Run the command. What goes wrong is a message on standard error and an exit status."""
    try:
        app()
    except TrainingSandboxError as error:
        typer.echo(f"tsb: {error}", err=True)
        sys.exit(EXIT_INVALID if isinstance(error, InvalidRequest) else EXIT_FAILED)


def _seconds_since(moment: str) -> float | None:
    """Return the seconds since an RFC 3339 time; None when it is not set."""
    if not moment:
        return None
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


def _seconds_until(moment: str) -> float | None:
    since = _seconds_since(moment)
    return None if since is None else -since


def _duration(seconds: float | None) -> str:
    """Write a duration as kubectl does: the largest units that say enough."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= _HOURS_WITHOUT_MINUTES:
        return f"{hours}h"
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
