# shellcheck shell=bash
# Kubernetes takes "a/b:c" for docker.io/a/b:c, and so does docker; podman takes it for localhost/a/b:c. Written in
# full it means the same to all.

full_name() {
  local name=$1 first=${1%%/*}
  [[ $name == */* ]] || name=library/$name
  [[ $1 == */* && ($first == *[.:]* || $first == localhost) ]] || name=docker.io/$name
  [[ ${name##*/} == *:* ]] || name=$name:latest
  echo "$name"
}
