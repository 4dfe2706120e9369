#!/usr/bin/env bash
# Start a Docker engine where none answers; stop the one that this script started.
#
#   image/base/engine.sh start     install what is missing, start dockerd, wait until it answers
#   image/base/engine.sh stop      end the dockerd that "start" started, and no other
#   image/base/engine.sh status    say which engine answers; exit status 0 or 1
#
# For Debian and Ubuntu, as root: continuous integration, containers and virtual machines where no
# service manager runs. On a desktop, install Docker as its documentation says instead.
# "start" is idempotent: where an engine already answers it does nothing.
set -euo pipefail

readonly STATE=/run/quantization-engine
readonly PID_FILE=$STATE/dockerd.pid   # "<pid> <start time>": a recycled pid is never taken for ours
readonly LOG_FILE=$STATE/dockerd.log
readonly WAIT_SECONDS=${ENGINE_WAIT:-60}

say() { printf 'engine: %s\n' "$*" >&2; }
die() { printf 'engine: error: %s\n' "$*" >&2; exit 1; }

engine_version() { docker version --format '{{.Server.Version}}' 2>/dev/null; }

# Field 22 of /proc/<pid>/stat; the command name in field 2 may hold spaces, so cut it off first.
start_time() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

our_pid() {
    local pid started
    [ -r "$PID_FILE" ] || return 1
    read -r pid started < "$PID_FILE" || return 1
    [ "$(start_time "$pid")" = "$started" ] || return 1
    printf '%s' "$pid"
}

install_missing() {
    local -a packages=()
    command -v dockerd > /dev/null || packages+=(docker.io)
    command -v iptables > /dev/null || packages+=(iptables)
    [ ${#packages[@]} -gt 0 ] || return 0
    command -v apt-get > /dev/null \
        || die "${packages[*]} missing and there is no apt-get: install Docker as its documentation says"
    say "installing ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2 || say "apt-get update failed; trying with the package lists at hand"
    # policy-rc.d would be the other way to keep the package from starting a service; a running
    # service is just as good here, since start looks for an answering engine afterwards.
    apt-get install -q -y --no-install-recommends "${packages[@]}" >&2 \
        || die "apt-get could not install ${packages[*]} (its messages are above)"
}

explain_failure() {
    say "the last lines of $LOG_FILE:"
    tail -n 15 "$LOG_FILE" >&2 || true
    if grep -q 'iptables' "$LOG_FILE"; then
        say "hint: the kernel refuses iptables; a privileged container or a virtual machine is needed"
    elif grep -q 'cgroup' "$LOG_FILE"; then
        say "hint: no usable cgroup mounts; a privileged container or a virtual machine is needed"
    fi
}

start() {
    local version pid deadline
    if command -v docker > /dev/null && version=$(engine_version); then
        say "Docker $version answers already"
        return 0
    fi
    [ -z "${DOCKER_HOST:-}" ] \
        || die "DOCKER_HOST=$DOCKER_HOST does not answer; unset it to start an engine on this machine"
    [ "$(id -u)" -eq 0 ] || die "starting an engine needs root: run this as root or with sudo"
    install_missing
    if version=$(engine_version); then
        say "Docker $version answers"
        return 0
    fi
    mkdir -p "$STATE"
    chmod 700 "$STATE"
    if ! pid=$(our_pid); then
        say "starting dockerd, log in $LOG_FILE"
        setsid dockerd > "$LOG_FILE" 2>&1 < /dev/null &
        pid=$!
        printf '%s %s\n' "$pid" "$(start_time "$pid")" > "$PID_FILE"
    fi
    deadline=$((SECONDS + WAIT_SECONDS))
    until version=$(engine_version); do
        if ! our_pid > /dev/null; then
            explain_failure
            die "dockerd ended before it answered"
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            explain_failure
            die "dockerd (pid $pid) gives no answer after ${WAIT_SECONDS} s"
        fi
        sleep 0.2
    done
    say "Docker $version answers (dockerd pid $pid)"
}

stop() {
    local pid
    if ! pid=$(our_pid); then
        rm -f "$PID_FILE"
        say "no engine of ours runs"
        return 0
    fi
    kill -TERM "$pid"
    for _ in $(seq 150); do
        if ! our_pid > /dev/null; then
            rm -f "$PID_FILE"
            say "dockerd (pid $pid) ended"
            return 0
        fi
        sleep 0.1
    done
    die "dockerd (pid $pid) does not end after SIGTERM; see $LOG_FILE"
}

status() {
    local version
    version=$(engine_version) || { say "no engine answers"; return 1; }
    say "Docker $version answers$(our_pid > /dev/null && printf ', started by this script (pid %s)' "$(our_pid)")"
}

case ${1:-} in
    start | stop | status) "$1" ;;
    *) printf 'usage: %s start|stop|status\n' "$0" >&2; exit 2 ;;
esac
