"""What holds for all tests."""

from hypothesis import settings

# No test asserts on wall time, and a busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
