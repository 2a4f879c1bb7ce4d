# shellcheck shell=bash
# OpenVINO GenAI: a Python of its own with its wheels, and the worker that a node drives it by.

readonly genai_worker=Sources/MartletEngines/OpenVINOGenAI/worker/martlet_genai_worker.py

set_up_openvino_genai() {
    local folder=.engines/openvino-genai key wheels
    wheels=("$OPENVINO_WHEEL" "$OPENVINO_GENAI_WHEEL" "$OPENVINO_TOKENIZERS_WHEEL" "$NUMPY_WHEEL")
    require_genai_python
    key="$("$system_python" -V) ${wheels[*]} worker $(hash_of "$genai_worker")"
    is_current "$folder/.stamp" "$key" && return

    fetch_genai_wheels
    # In its place, as an environment cannot be moved; without its stamp it is made anew.
    make_environment "$folder"
    doing "installing OpenVINO GenAI $OPENVINO_GENAI_VERSION (270 MB)"
    pip_for "$PWD/$folder" install --quiet --no-deps --no-index --no-compile \
        "${wheels[@]/#/.downloads/}"
    quietly "the pins in scripts/versions.env do not fit each other" \
        "$folder/bin/python3" -I -c 'import numpy, openvino, openvino_genai'
    cp "$genai_worker" "$folder/"
    write_stamp "$folder/.stamp" "$key"
    outcome "OpenVINO GenAI $OPENVINO_GENAI_VERSION"
}

require_genai_python() {
    require_python
    [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] ||
        fail "OpenVINO GenAI is pinned for Linux on x86-64; this is $(uname -s) on $(uname -m)" \
            "use llama.cpp: scripts/setup.sh llama"
    [[ $("$system_python" -V) == "Python $OPENVINO_WHEEL_PYTHON."* ]] ||
        fail "OpenVINO GenAI is pinned for Python $OPENVINO_WHEEL_PYTHON, and $system_python is \
$("$system_python" -V)" "set PYTHON=/path/to/python$OPENVINO_WHEEL_PYTHON"
}

fetch_genai_wheels() {
    local platform=(--python-version "$OPENVINO_WHEEL_PYTHON" --platform manylinux_2_28_x86_64)
    fetch_wheel "openvino==$OPENVINO_VERSION" "$OPENVINO_WHEEL" "$OPENVINO_WHEEL_SHA256" \
        '59 MB' "${platform[@]}"
    fetch_wheel "openvino-genai==$OPENVINO_GENAI_VERSION" "$OPENVINO_GENAI_WHEEL" \
        "$OPENVINO_GENAI_WHEEL_SHA256" '7 MB' "${platform[@]}"
    fetch_wheel "openvino-tokenizers==$OPENVINO_TOKENIZERS_VERSION" "$OPENVINO_TOKENIZERS_WHEEL" \
        "$OPENVINO_TOKENIZERS_WHEEL_SHA256" '2 MB' "${platform[@]}"
    fetch_wheel "numpy==$NUMPY_VERSION" "$NUMPY_WHEEL" "$NUMPY_WHEEL_SHA256" \
        '17 MB' "${platform[@]}"
}
