"""Times as the Kubernetes API writes them: RFC 3339, UTC, whole seconds."""

from datetime import UTC, datetime


def parse_timestamp(text: str | None) -> datetime | None:
    """Return the time that the API wrote, or None for a field that is not there.

    Raises:
        ValueError: the text is not an RFC 3339 time.
    """
    return datetime.fromisoformat(text) if text else None


def format_timestamp(moment: datetime) -> str:
    """Write a time for the API, rounded down to the second as ``metav1.Time`` does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
