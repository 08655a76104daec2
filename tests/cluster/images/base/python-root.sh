# shellcheck shell=bash
# What stands in for the public Python image where that cannot be pulled: Debian's own Python of the same version, with
# what a Dockerfile may expect of both. Its interpreter is /usr/bin/python3, the public image's /usr/local/bin/python3:
# a Dockerfile that says "python3 -m venv" works with either.

BASE_PACKAGES=(python3 python3-venv ca-certificates netbase tzdata)
CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt

python_root() { # FOLDER
  debian_root "$1" "${BASE_PACKAGES[@]}"
  ln -s python3 "$1/usr/bin/python"
  # A machine that cannot pull usually sits behind a proxy with a certificate of its own, which pip has to trust too.
  [[ ! -f $CA_BUNDLE ]] || cp "$CA_BUNDLE" "$1$CA_BUNDLE"
  printf '[global]\ncert = %s\n' "$CA_BUNDLE" > "$1/etc/pip.conf"
}
