# shellcheck shell=bash
# Python wheels: a pip of our own, and downloads that are used only if their checksum is right.

readonly system_python=${PYTHON:-/usr/bin/python3}
readonly tools_python=.tools/python
declare -A verified_wheels=()

require_python() {
    [[ -x $system_python ]] ||
        fail "there is no Python at $system_python" "install python3, or set PYTHON=/path/to/python3"
}

# The pip that fills every environment; it also holds ruff.
ensure_pip() {
    local key
    require_python
    key="$system_python $("$system_python" -V)"
    is_current "$tools_python/.stamp" "$key" && return
    doing 'making an environment for pip'
    rm -rf "$tools_python"
    quietly 'install the Debian package python3-venv' "$system_python" -m venv "$tools_python"
    write_stamp "$tools_python/.stamp" "$key"
}

# pip_for ENVIRONMENT ARGUMENTS...
pip_for() {
    local environment=$1
    shift
    quietly 'is this machine online? then run the same command again' \
        "$tools_python/bin/python" -m pip --disable-pip-version-check --no-input \
        --python "$environment/bin/python" "$@"
}

# fetch_wheel REQUIREMENT FILE SHA256 SIZE [PIP OPTIONS...]: leaves .downloads/FILE, verified.
fetch_wheel() {
    local requirement=$1 file=$2 sha256=$3 size=$4
    shift 4
    fetch_package "$requirement" "$file" "$sha256" "$size" \
        --only-binary=:all: "$@" "$requirement"
}

# fetch_sdist PACKAGE VERSION FILE SHA256 SIZE: the same for a package's source.
fetch_sdist() {
    local requirement="$1==$2"
    # For its description pip runs the source's own code, so pip itself must check it before.
    echo "$requirement --hash=sha256:$4" >"$scratch/sdist.txt"
    fetch_package "$requirement" "$3" "$4" "$5" --no-binary "$1" -r "$scratch/sdist.txt"
}

# fetch_package REQUIREMENT FILE SHA256 SIZE PIP-ARGUMENTS...
fetch_package() {
    local requirement=$1 file=$2 sha256=$3 size=$4 aside
    shift 4
    if [[ -f .downloads/$file ]]; then
        # Once a run is enough: several parts use the same large file.
        [[ -z ${verified_wheels[$file]-} ]] || return 0
        if has_checksum ".downloads/$file" "$sha256"; then
            verified_wheels[$file]=1
            return 0
        fi
        rm -f ".downloads/$file"
    fi
    ensure_pip
    make_aside aside .downloads
    doing "downloading $requirement ($size)"
    # Without pip's cache: .downloads is one, and these files are large.
    pip_for "$tools_python" download --quiet --no-deps --no-cache-dir --dest "$aside" "$@"
    [[ -f $aside/$file ]] ||
        fail "$requirement came as '$(ls "$aside")', not as $file" "correct scripts/versions.env"
    has_checksum "$aside/$file" "$sha256" ||
        fail "$file has not the SHA-256 that scripts/versions.env pins; it was not kept" \
            "run again; if that does not help, do not use the file: someone may have changed it"
    mv "$aside/$file" ".downloads/$file"
    verified_wheels[$file]=1
    rm -rf "$aside"
}

has_checksum() {
    [[ $(sha256sum "$1" | cut -d ' ' -f 1) == "$2" ]]
}

fetch_tensorflow_wheel() {
    [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] ||
        fail "TensorFlow is pinned for Linux on x86-64, and this is $(uname -s) on $(uname -m)" \
            "use your own: MARTLET_TENSORFLOW_PATH names the folder of libtensorflow_cc.so.2"
    fetch_wheel "tensorflow-cpu==$TENSORFLOW_VERSION" "$TENSORFLOW_WHEEL" \
        "$TENSORFLOW_WHEEL_SHA256" '274 MB' \
        --python-version "$TENSORFLOW_WHEEL_PYTHON" --platform manylinux_2_27_x86_64
}

install_ruff() {
    ensure_pip
    is_current "$tools_python/.ruff" "$RUFF_VERSION" && return
    doing "installing ruff $RUFF_VERSION"
    pip_for "$tools_python" install --quiet --no-deps "ruff==$RUFF_VERSION"
    write_stamp "$tools_python/.ruff" "$RUFF_VERSION"
    outcome "ruff $RUFF_VERSION"
}
