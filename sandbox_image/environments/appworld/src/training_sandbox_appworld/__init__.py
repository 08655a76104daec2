"""AppWorld as an environment of Training Sandbox, and a generator of synthetic worlds."""
