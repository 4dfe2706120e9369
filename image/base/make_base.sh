#!/usr/bin/env bash
# Make a base image from Debian packages, where no container registry can be reached. The launcher takes
# it by itself when it is on the engine.
#
#   image/base/make_base.sh [--force] [--python TREE]
#
# Without --python: quantization-base:py3.11, with Debian's own Python. With it: quantization-base:py<x.y>,
# with a copy in /usr/local of the Python that is installed in TREE, such as ~/.pyenv/versions/3.7.16; it
# must have been built on this Debian release or an older one.
#
# For Debian and Ubuntu, as root; needs an engine (engine.sh starts one), and installs debootstrap.
#   MIRROR  the Debian mirror; default: the host's own apt source on a Debian host, else debootstrap's
#   TMPDIR  where the tree is put together, about 400 MB; must not be mounted noexec or nodev
set -euo pipefail

readonly SUITE=bookworm   # the Debian release whose python3 is 3.11
readonly PACKAGES=python3,python3-venv,ca-certificates
# What the modules of a Python built elsewhere are linked with.
readonly LIBRARIES=libssl3,libffi8,zlib1g,libbz2-1.0,liblzma5,libreadline8,libsqlite3-0,libncursesw6,libuuid1,libexpat1
readonly MODULES='ssl, ctypes, zlib, bz2, lzma, sqlite3, uuid, hashlib, venv, ensurepip, multiprocessing'

say() { printf 'base: %s\n' "$*" >&2; }
die() { printf 'base: error: %s\n' "$*" >&2; exit 1; }

install_debootstrap() {
    command -v apt-get > /dev/null || die "debootstrap is missing and there is no apt-get; install it"
    say "installing debootstrap and Debian's keys"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2 || say "apt-get update failed; trying with the package lists at hand"
    apt-get install -q -y --no-install-recommends debootstrap debian-archive-keyring >&2 \
        || die "apt-get could not install debootstrap (its messages are above)"
}

# The first binary source of the host's apt, from deb822 or one-line files; "apt-get indextargets"
# knows them all, whichever way they are written.
host_mirror() {
    grep -qx 'ID=debian' /etc/os-release || return 0
    # shellcheck disable=SC2016  # apt's own placeholders
    apt-get indextargets --format '$(SITE) $(RELEASE) $(CREATED_BY)' 2> /dev/null \
        | awk '$3 == "Packages" && $2 !~ /security|updates|backports/ && $1 ~ /debian/ { print $1; exit }'
}

keyring() {
    local path
    for path in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
        if [ -r "$path" ]; then
            printf '%s' "$path"
            return
        fi
    done
    die "no Debian archive keyring; apt-get install debian-archive-keyring"
}

# What a Python run time never reads. dpkg's lists stay, so that scanners can tell what is inside.
trim() {
    local root=$1
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* \
        "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/info/* \
        "$root"/usr/share/locale/* "$root"/usr/share/i18n/* "$root"/usr/lib/*/gconv/* \
        "$root"/debootstrap "$root"/etc/apt/sources.list
    # debootstrap copies these two from the host.
    : > "$root/etc/resolv.conf"
    printf 'localhost\n' > "$root/etc/hostname"
}

usage() { printf 'usage: %s [--force] [--python TREE]\n' "$0" >&2; exit 2; }

# "3.7" of the Python in a tree.
minor_of() {
    "$1/bin/python3" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null \
        || die "--python $1: there is no Python that starts at $1/bin/python3"
}

# Put the Python of a tree into /usr/local of a root, without tests, IDLE, Tk, and what was installed into it.
copy_python() {
    local tree=$1 minor=$2 root=$3
    tar --create --directory "$tree" --exclude='__pycache__' --exclude='lib/python*/site-packages/*' \
        --exclude='lib/python*/test' --exclude='lib/python*/*/test' --exclude='lib/python*/*/tests' \
        --exclude='lib/python*/idlelib' --exclude='lib/python*/tkinter' --exclude='lib/python*/turtledemo' \
        --exclude='_tkinter.*' --exclude='lib/python*/config-*/libpython*' --exclude='*.a' \
        include lib "bin/python$minor" | tar --extract --directory "$root/usr/local" --no-same-owner
    ln -sf "python$minor" "$root/usr/local/bin/python3"
    ln -sf "python$minor" "$root/usr/local/bin/python"
    chroot "$root" ldconfig
    chroot "$root" /usr/local/bin/python3 -I -c "import $MODULES" >&2 \
        || die "the Python of $tree does not work on Debian $SUITE (its message is above)"
}

main() {
    local force='' tree='' minor=3.11
    while [ $# -gt 0 ]; do
        case $1 in
            --force) force=yes ;;
            --python) [ $# -gt 1 ] || usage; tree=$2; shift ;;
            *) usage ;;
        esac
        shift
    done
    [ -z "$tree" ] || minor=$(minor_of "$tree")
    local tag=quantization-base:py$minor

    docker version > /dev/null 2>&1 || die "no Docker engine answers; image/base/engine.sh start starts one"
    if [ -z "$force" ] && docker image inspect "$tag" > /dev/null 2>&1; then
        say "$tag is there already (--force makes it anew)"
        return 0
    fi
    [ "$(id -u)" -eq 0 ] || die "debootstrap needs root: run this as root or with sudo"
    command -v debootstrap > /dev/null || install_debootstrap

    local mirror work key packages=$PACKAGES
    [ -z "$tree" ] || packages=ca-certificates,$LIBRARIES
    key=$(keyring)
    mirror=${MIRROR:-$(host_mirror)}
    work=$(mktemp -d "${TMPDIR:-/tmp}/quantization-base.XXXXXX")
    # shellcheck disable=SC2064  # the value of now
    trap "rm -rf -- '$work'" EXIT
    say "Debian $SUITE from ${mirror:-the default mirror of debootstrap}"
    debootstrap --variant=minbase --keyring="$key" --include="$packages" "$SUITE" "$work/root" \
        ${mirror:+"$mirror"} > "$work/log" 2>&1 || {
        tail -n 15 "$work/log" >&2
        die "debootstrap failed (its last lines are above); MIRROR=<url of a Debian mirror> chooses another mirror"
    }
    [ -z "$tree" ] || copy_python "$tree" "$minor" "$work/root"
    trim "$work/root"
    tar --create --directory "$work/root" --numeric-owner --one-file-system . \
        | docker import --message "Debian $SUITE with Python $minor, made by image/base/make_base.sh" \
            --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
            --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' - "$tag" > /dev/null
    say "$tag: $(docker image inspect --format '{{.Size}}' "$tag" | awk '{ printf "%.0f MB", $1 / 1e6 }')"
}

main "$@"
