"""Agent code is held."""

from typing import cast

from training_sandbox_conformance.subject import Check, Subject, is_within, require


def run(subject: Subject) -> str | None:
    """Look for a ground truth that episodes may read; tell what this kernel lacks."""
    description = subject.description
    for truth in description.truth:
        require(truth.exists(), f"Environment.truth names {truth}, which is not there")
        for readable in description.readable:
            require(
                not is_within(truth, readable) and not is_within(readable, truth),
                f"episodes may read the ground truth {truth}: {readable} is readable",
            )
    confinement = cast("dict[str, object]", subject.served.status()["confinement"])
    missing = cast("list[str]", confinement["missing"])
    return f"missing on this kernel: {'; '.join(missing)}" if missing else None


CHECK = Check(
    name="confined",
    promise="Episodes run in the jail, and may not read the ground truth",
    remedy="Keep the ground truth out of Environment.readable and out of the venv (what is "
    "installed or importable can be read), and name it in Environment.truth.",
    run=run,
)
