"""The HTTP server of a pod: many episodes of one environment, one process each."""

from importlib.metadata import version

__version__ = version("training-sandbox-server")
