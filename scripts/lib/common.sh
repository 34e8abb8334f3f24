# shellcheck shell=bash
# Shell functions shared by the commands in scripts/. To be sourced by a script that has set -euo pipefail.

# An ordinary user's PATH often lacks the folders of ldconfig, useradd and the like.
case ":$PATH:" in *:/usr/sbin:*) ;; *) PATH=$PATH:/usr/sbin:/sbin ;; esac

# say TEXT...: one line to stderr, stdout stays free for results.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die TEXT...: say it and end with status 1.
die() {
  say "$*"
  exit 1
}

# as_root COMMAND...: as it is for root, otherwise through sudo, which may ask for a password on a terminal only.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif ! command -v sudo >/dev/null; then
    say "this needs root, and there is no sudo: $*"
    return 1
  elif [ -t 0 ]; then
    sudo "$@"
  else
    sudo -n "$@"
  fi
}

# apt_get ARGUMENT...: apt-get that asks nothing, answers on stderr and waits for another apt to finish.
apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
    apt-get -qq -o DPkg::Lock::Timeout=900 -o APT::Install-Recommends=0 "$@" </dev/null >&2
}

# refresh_package_lists: apt-get update, at most once for a command and all it calls. apt's own lock timeout
# does not cover the lists, so a busy lock is waited for here. Old lists may still serve: no failure is final.
refresh_package_lists() {
  local answer try
  [ -z "${HFPOUR_LISTS_FRESH:-}" ] || return 0
  export HFPOUR_LISTS_FRESH=1
  for ((try = 0; try < 180; try++)); do
    if answer=$(apt_get update 2>&1); then return 0; fi
    case $answer in *'get lock'*) sleep 5 ;; *) break ;; esac
  done
  say "apt-get update failed, going on with the lists there are: $answer"
}

package_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need_packages PACKAGE...: installs those that are missing; without a missing one it needs no root and no network.
need_packages() {
  local package output
  local -a missing=()
  for package; do
    package_installed "$package" || missing+=("$package")
  done
  if [ "${#missing[@]}" = 0 ]; then return 0; fi
  say "installing ${missing[*]}"
  refresh_package_lists
  if output=$(apt_get install -y --no-install-recommends "${missing[@]}" 2>&1); then return 0; fi
  printf '%s\n' "$output" | tail -n 20 >&2
  die "could not install them; as root: apt-get install --no-install-recommends ${missing[*]}"
}

# port_taken PORT: something on loopback answers there.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port [PORT...]: a random port from 20000 to 25999 on which nothing answers and which is none of PORT.
# These lie below Linux's range for outgoing connections. Two callers can draw the same one: be ready to try again.
free_port() {
  local port try
  for ((try = 0; try < 1000; try++)); do
    port=$((20000 + RANDOM % 6000))
    case " $* " in *" $port "*) continue ;; esac
    if ! port_taken "$port"; then
      printf '%s\n' "$port"
      return 0
    fi
  done
  die "no free port on 127.0.0.1 between 20000 and 25999"
}
