"""The processes of episodes: a preloaded zygote, and one forked process per episode.

Standard library only: this package runs in the venv of every environment.
"""
