"""The operator of Training Sandbox.

TrainingInstances become hardened pods, are told apart from broken ones, and are collected in time.

Layers, each importing only those below it:

- ``shell``, ``__main__``: the process; kopf logs in, and watches the pools while it leads.
- ``monitoring``: probes and metrics over HTTP.
- ``control``: feeds, cache, queue, deadlines, the loop that reconciles one key, and the election.
- ``cluster``: everything that talks to the API server or to an instance's server.
- ``logs``, ``metrics``: what is told to people and Prometheus.
- ``decisions``: pure functions from what is known to what is to be done.
- ``model``: what is known, as typed immutable values.
"""

from importlib.metadata import version

__version__ = version("training-sandbox-operator")
