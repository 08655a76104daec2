"""What anybody may ask, as often as they like."""

import pytest

from training_sandbox_operator import monitoring


def test_metrics_are_put_together_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(monitoring.time, "monotonic", lambda: now)
    numbers = iter(range(10))
    lately = monitoring._Lately(lambda: b"%d" % next(numbers))
    assert [lately(), lately()] == [b"0", b"0"]
    now = 101.0
    assert [lately(), lately()] == [b"1", b"1"]
