"""my-game as an environment of Training Sandbox."""
