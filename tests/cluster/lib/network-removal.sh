# shellcheck shell=bash
# Taking a cluster's network away. A podman that is killed while it starts or stops a node forgets what it had made:
# network namespaces, the bridge, firewall rules. What is removed here has an address in the network's own range, or a
# name made from the network's own.

remove_network() { # NAME
  local subnets='' bridge=''
  if [[ $ENGINE == podman && $(id -u) == 0 ]]; then
    read -r bridge subnets < <(podman network inspect "$1" 2> /dev/null |
      jq --raw-output '.[0] // empty | "\(.network_interface) \([.subnets[].subnet] | join(" "))"') || true
    remove_namespaces "$subnets"
  fi
  ! "$ENGINE" network inspect "$1" > /dev/null 2>&1 || "$ENGINE" network rm "$1"
  if [[ $ENGINE == podman && $(id -u) == 0 ]]; then
    remove_bridge "$bridge" "$subnets"
    remove_firewall_rules iptables "$1"
    remove_firewall_rules ip6tables "$1"
    # Also in /run, whatever the configuration says. Where /run outlives a boot, a node's name would resolve to the
    # address of the node before it, too.
    rm -f "/run/containers/networks/aardvark-dns/$1"
  fi
}

remove_namespaces() { # SUBNETS
  local file subnet
  for file in /run/netns/netns-*; do
    for subnet in $1; do
      [[ -n $(nsenter --net="$file" ip -oneline address show to "$subnet" 2> /dev/null) ]] || continue
      has_processes "$file" || { umount "$file" && rm "$file"; }
      break
    done
  done
}

has_processes() { # NAMESPACE-FILE
  local inode; inode=$(stat --format %i "$1")
  readlink /proc/[0-9]*/ns/net 2> /dev/null | grep --quiet --fixed-strings "[$inode]"
}

remove_bridge() { # INTERFACE SUBNETS
  local subnet
  for subnet in $2; do
    [[ -z $(ip -oneline address show dev "$1" to "$subnet" 2> /dev/null) ]] || { ip link delete dev "$1" && return; }
  done
}

# A rule that is left would send a port of this machine, which the next cluster may get, to an address of the last.
remove_firewall_rules() { # IPTABLES NETWORK-NAME
  local hash subnets rules table
  have "$1" || return 0
  hash=$(printf %s "$2" | sha512sum | cut -c 1-13 | tr '[:lower:]' '[:upper:]') # as netavark names its chains
  rules=$("$1-save" --table nat | grep --extended-regexp "NETAVARK-(DN-)?$hash( |\$)") || return 0
  subnets=$(awk -v chain="NETAVARK-$hash" '$2 == chain && $3 == "-d" { print $4 }' <<< "$rules")
  for table in nat filter; do
    "$1-save" --table "$table" | { grep --fixed-strings --regexp "$hash" ${subnets:+--regexp "$subnets"} || true; } |
      awk -v table="$table" '
        BEGIN { print "*" table }
        /^-A/ { sub(/^-A/, "-D"); print }
        /^:/ { chains = chains "-X " substr($1, 2) "\n" } # listed first, but to be deleted last
        END { printf "%sCOMMIT\n", chains }' | "$1-restore" --noflush
  done
}
