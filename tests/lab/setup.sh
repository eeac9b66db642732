#!/usr/bin/env bash
# Prepares this machine for the lab: engine, image builder, Python environment. Safe to repeat, to interrupt, and to run twice at once.
# `setup.sh venv` prepares the Python environment alone, which needs no root.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

check_machine() {
  [ "$(uname -s)" = Linux ] || die "the lab needs Linux, this is $(uname -s)"
  command -v apt-get >/dev/null || die "the lab needs Debian or Ubuntu: apt-get is missing"
  [ "$(id -u)" -eq 0 ] || die "the lab needs root: run make as root, or with sudo"
  need_disk . 2000
  need_disk "${STEADFAST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}" 2000
  need_disk /var/lib 6000
  [ -e /dev/fuse ] || modprobe fuse 2>/dev/null || die "the kernel has no FUSE: /dev/fuse is missing"
  grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || die "the kernel has no overlay file system"
}

# need_disk FOLDER MEGABYTES: the nearest folder above that is there has that much free.
need_disk() {
  local folder=$1 free
  while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
  free=$(df --output=avail -m "$folder" | tail -n 1)
  [ "$free" -ge "$2" ] || die "the lab needs $2 MB of free disk at $folder, there are $free MB"
}

install_packages() {
  local wanted=() package
  for package in iptables mmdebstrap python3-venv hey; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || wanted+=("$package")
  done
  command -v dockerd >/dev/null || wanted+=(docker.io)
  [ "${#wanted[@]}" -eq 0 ] && return
  say "installing ${wanted[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || die "apt-get update failed: is there a network, and does the machine's apt reach its mirror?"
  apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null || die "apt-get could not install ${wanted[*]}"
}

# After a hard stop of the machine the pid files name processes that are gone, or others by now.
remove_stale_pid() {
  local pid
  [ -f "$1" ] || return 0
  pid=$(cat "$1")
  if [ -r "/proc/$pid/comm" ] && [ "$(cat "/proc/$pid/comm")" = "$2" ] && ! grep -q '^State:.Z' "/proc/$pid/status"; then
    return 0
  fi
  rm -f "$1"
}

start_engine() {
  docker info >/dev/null 2>&1 && return
  if [ -d /run/systemd/system ]; then
    say "starting the Docker engine"
    systemctl start docker || die "systemctl start docker failed: see journalctl -u docker"
  else
    say "starting the Docker engine (no systemd here)"
    remove_stale_pid /var/run/docker.pid dockerd
    remove_stale_pid /var/run/docker/containerd/containerd.pid containerd
    sh -c 'setsid dockerd --exec-opt native.cgroupdriver=cgroupfs >/var/log/dockerd.log 2>&1 </dev/null 9>&- &'
  fi
  local _try
  for _try in $(seq 60); do
    docker info >/dev/null 2>&1 && return
    sleep 0.5
  done
  die "the Docker engine did not start within 30 s: $(tail -n 2 /var/log/dockerd.log 2>/dev/null | tr '\n' ' ')"
}

python_for_venv() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  die "Python 3.11 or newer with its venv module is missing (Debian 12, Ubuntu 24.04 and later have it: apt-get install python3-venv)"
}

make_venv() {
  local stamp python
  stamp=$(sha256sum requirements.txt tests/lab/setup.sh | sha256sum | cut -c1-16)
  [ "$(cat .venv/.stamp 2>/dev/null)" = "$stamp" ] && return
  python=$(python_for_venv)
  say "making the Python environment in .venv"
  rm -rf .venv .cache/uv-venv
  "$python" -m venv .cache/uv-venv
  .cache/uv-venv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9 || die "pip could not install uv: is a package index reached?"
  .cache/uv-venv/bin/uv venv --quiet --python "$python" .venv
  .cache/uv-venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.txt || die "uv could not install requirements.txt"
  printf '%s' "$stamp" >.venv/.stamp
}

# Ansible finds a collection by its place: <folder>/ansible_collections/<namespace>/<name>.
link_collection() {
  mkdir -p .cache/collections/ansible_collections/steadfast
  ln -sfn ../../../.. .cache/collections/ansible_collections/steadfast/ai_platform
}

mkdir -p .cache
exec 9>.cache/setup.lock
flock 9
case "${1:-all}" in
  all)
    check_machine
    install_packages
    start_engine
    ;;
  venv) ;;
  *) die "unknown word '$1': use 'all' or 'venv'" ;;
esac
make_venv
link_collection
