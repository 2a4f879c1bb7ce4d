# shellcheck shell=bash
# What comes from Debian, and the check that Swift is there.

# rapidjson, zlib and g++: built into martlet. nghttp2-client: h2load, for benchmarks. redis-tools:
# has redis-server as well, for tests; the package of that name would start a daemon.
readonly debian_packages=(
    binutils ca-certificates curl g++ git make nghttp2-client
    python3 python3-venv rapidjson-dev redis-tools unzip zlib1g-dev
)

set_up_packages() {
    install_debian_packages "${debian_packages[@]}"
}

install_debian_packages() {
    if ! command -v dpkg-query >/dev/null; then
        [[ -n ${MARTLET_SKIP_PACKAGES-} ]] ||
            fail "this system is not Debian's kind, and set-up installs Debian packages only" \
                "install the like of: $*; then run again with MARTLET_SKIP_PACKAGES=1"
        outcome 'left to you (MARTLET_SKIP_PACKAGES)'
        return 0
    fi
    local missing
    missing=$(missing_debian_packages "$@")
    [[ -n $missing ]] || return 0

    local -a names
    read -ra names <<<"$missing"
    doing "installing $missing"
    refresh_package_lists "$missing"
    as_root "$missing" apt-get install -y --no-install-recommends \
        -o DPkg::Lock::Timeout=120 "${names[@]}"
    outcome "installed $missing"
}

missing_debian_packages() {
    local -A installed=()
    local name status
    while read -r name status; do
        [[ $status != installed ]] || installed[$name]=1
    done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null)
    local missing=()
    for name in "$@"; do
        [[ -n ${installed[$name]-} ]] || missing+=("$name")
    done
    echo "${missing[*]}"
}

refresh_package_lists() {
    as_root "$1" apt-get update
}

# as_root PACKAGES COMMAND...
as_root() {
    local packages=$1
    local advice="as an administrator: apt-get install --no-install-recommends $packages"
    shift
    if ((EUID == 0)); then
        quietly "$advice" env DEBIAN_FRONTEND=noninteractive "$@"
    elif command -v sudo >/dev/null && sudo_without_waiting; then
        quietly "$advice" sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
    else
        fail "missing Debian packages, and no right to install them: $packages" "$advice"
    fi
}

# Asks for the password on a terminal only: elsewhere nobody would answer.
sudo_without_waiting() {
    if [[ -t 0 && -t 1 ]]; then
        printf '%s' "$erase"
        sudo -v
    else
        sudo -n true 2>/dev/null
    fi
}

set_up_swift() {
    local version advice="install Swift $SWIFT_MINIMUM or newer: https://www.swift.org/install/linux"
    command -v swift >/dev/null || fail "there is no 'swift' on the PATH" "$advice"
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -n 1)
    [[ $(printf '%s\n' "$SWIFT_MINIMUM" "${version:-0}" | sort -V | head -n 1) == "$SWIFT_MINIMUM" ]] ||
        fail "Swift $version is too old" "$advice"
    outcome "Swift $version"
}

set_up_promtool() {
    if .tools/promtool --version >/dev/null 2>&1; then
        return
    fi
    if command -v promtool >/dev/null; then
        ln -sf "$(command -v promtool)" .tools/promtool
        outcome 'linked to the one installed'
        return
    fi
    command -v apt-get >/dev/null || fail "there is no 'promtool' on the PATH" "install Prometheus"
    unpack_program prometheus '19 MB' usr/bin/promtool
    outcome "$(.tools/promtool --version 2>&1 | sed -n '1s/,\{0,1\} (.*//p')"
}

# unpack_program PACKAGE SIZE PATH: leaves the package's program at PATH in .tools. It is unpacked,
# not installed: the package would start a daemon on this machine.
unpack_program() {
    local package=$1 size=$2 path=$3 aside
    make_aside aside .tools
    doing "fetching the package $package ($size)"
    if ! (cd "$aside" && apt-get download "$package") >/dev/null 2>&1; then
        refresh_package_lists "$package"
        quietly 'is this machine online?' env -C "$aside" apt-get download "$package"
    fi
    quietly 'remove .tools and try again' dpkg -x "$aside/$package"_*.deb "$aside/unpacked"
    replace "$aside/unpacked/$path" ".tools/${path##*/}"
    rm -rf "$aside"
}

# Peers that benchmarks stand beside. Where one cannot be had, they go without it.
set_up_bench_peers() {
    if [[ -x .tools/nginx ]] || PATH=$PATH:/usr/sbin command -v nginx >/dev/null; then
        return
    fi
    if ! command -v apt-get >/dev/null; then
        outcome "no nginx here: benchmarks go without it"
        return
    fi
    unpack_program nginx '1 MB' usr/sbin/nginx
    .tools/nginx -v >/dev/null 2>&1 ||
        fail 'nginx does not start: a library that it needs is missing' \
            'as an administrator: apt-get install libpcre2-8-0 libssl3 zlib1g libcrypt1'
    outcome "$(.tools/nginx -v 2>&1 | sed 's/.*: //')"
}

set_up_lint_tools() {
    install_debian_packages shellcheck
    install_ruff
}
