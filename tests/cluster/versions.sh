# shellcheck shell=bash disable=SC2034
# Everything that is fixed by version, in one place. A cached artifact is rebuilt when its line here changes.

KIND_VERSION=v0.33.0
HELM_VERSION=v3.22.0
KWOK_VERSION=v0.8.0
CYCLONUS_VERSION=v0.5.6

# The oldest kubectl in PATH that is good enough; an older one is ignored and one is built.
KUBECTL_MINIMUM=1.30

# The node image from a registry: v1.36.4, as published for this kind version (podman takes a digest or a tag, not both).
NODE_IMAGE_PULLED=docker.io/kindest/node@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed

# The node image built here. KUBERNETES_VERSION has to agree with images/node/components/go.mod; the versions of etcd and
# CoreDNS are in go.mod files only.
# 1.36 and containerd 2.4 are the last that were seen to run on cgroup v1, which is deprecated in all of them.
KUBERNETES_VERSION=v1.36.3
CONTAINERD_VERSION=v2.4.2
CRICTL_VERSION=v1.36.0
# systemd 252 still boots on cgroup v1; the one of the next Debian release refuses.
DEBIAN_SUITE=bookworm
# What the built image depends on; helm's version, say, is none of it.
NODE_VERSIONS="$KIND_VERSION $KUBERNETES_VERSION $CONTAINERD_VERSION $CRICTL_VERSION $DEBIAN_SUITE"

# What the project's Dockerfiles build on.
PYTHON_BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm
