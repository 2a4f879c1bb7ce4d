# shellcheck shell=bash
# The engines' libraries, out of their Python wheels.

set_up_engine() {
    local folder=.engines/tensorflow aside
    local libraries=(libtensorflow_cc.so.2 libtensorflow_framework.so.2)
    local key="tensorflow-cpu $TENSORFLOW_VERSION sha256 $TENSORFLOW_WHEEL_SHA256"
    if is_current "$folder/.stamp" "$key" &&
        [[ -s $folder/${libraries[0]} && -s $folder/${libraries[1]} ]]; then
        return
    fi

    fetch_tensorflow_wheel
    make_aside aside .engines
    doing "unpacking TensorFlow $TENSORFLOW_VERSION (850 MB)"
    quietly 'is the disk full? 2 GB are needed' \
        unzip -q -j ".downloads/$TENSORFLOW_WHEEL" "${libraries[@]/#/tensorflow/}" -d "$aside"
    echo "$TENSORFLOW_VERSION" >"$aside/VERSION"
    write_stamp "$aside/.stamp" "$key"
    replace "$aside" "$folder"
    outcome "TensorFlow $TENSORFLOW_VERSION"
}

set_up_litert() {
    local folder=.engines/litert library=libLiteRt.so aside
    local key="ai-edge-litert $LITERT_VERSION sha256 $LITERT_WHEEL_SHA256"
    if is_current "$folder/.stamp" "$key" && [[ -s $folder/$library ]]; then
        return
    fi

    [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] ||
        fail "LiteRT is pinned for Linux on x86-64, and this is $(uname -s) on $(uname -m)" \
            "use your own: MARTLET_LITERT_PATH names the folder of $library"
    fetch_wheel "ai-edge-litert==$LITERT_VERSION" "$LITERT_WHEEL" "$LITERT_WHEEL_SHA256" '22 MB' \
        --python-version "$LITERT_WHEEL_PYTHON" --platform manylinux_2_27_x86_64
    make_aside aside .engines
    doing "unpacking LiteRT $LITERT_VERSION (8 MB)"
    quietly 'is the disk full?' \
        unzip -q -j ".downloads/$LITERT_WHEEL" "ai_edge_litert/$library" -d "$aside"
    echo "$LITERT_VERSION" >"$aside/VERSION"
    write_stamp "$aside/.stamp" "$key"
    replace "$aside" "$folder"
    outcome "LiteRT $LITERT_VERSION"
}

# What reads SavedModel, ONNX and TFLite files, what runs them on a processor, and nothing else of
# the wheel: its devices beside the processor are 53 MB.
readonly openvino_libraries=(
    libopenvino_c.so.* libopenvino.so.* libopenvino_intel_cpu_plugin.so libtbb.so.*
    libopenvino_ir_frontend.so.* libopenvino_onnx_frontend.so.*
    libopenvino_tensorflow_frontend.so.* libopenvino_tensorflow_lite_frontend.so.*
)

set_up_openvino() {
    local folder=.engines/openvino aside
    local key="openvino $OPENVINO_VERSION sha256 $OPENVINO_WHEEL_SHA256"
    if is_current "$folder/.stamp" "$key" && has_openvino_libraries "$folder"; then
        return
    fi

    [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] ||
        fail "OpenVINO is pinned for Linux on x86-64, and this is $(uname -s) on $(uname -m)" \
            "use your own: MARTLET_OPENVINO_PATH names the folder of libopenvino_c.so"
    fetch_wheel "openvino==$OPENVINO_VERSION" "$OPENVINO_WHEEL" "$OPENVINO_WHEEL_SHA256" '59 MB' \
        --python-version "$OPENVINO_WHEEL_PYTHON" --platform manylinux_2_28_x86_64
    make_aside aside .engines
    doing "unpacking OpenVINO $OPENVINO_VERSION (95 MB)"
    quietly 'is the disk full?' \
        unzip -q -j ".downloads/$OPENVINO_WHEEL" "${openvino_libraries[@]/#/openvino/libs/}" \
        -d "$aside"
    has_openvino_libraries "$aside" ||
        fail "$OPENVINO_WHEEL lacks a library" 'correct scripts/setup/engine.sh'
    echo "$OPENVINO_VERSION" >"$aside/VERSION"
    write_stamp "$aside/.stamp" "$key"
    replace "$aside" "$folder"
    outcome "OpenVINO $OPENVINO_VERSION"
}

has_openvino_libraries() {
    local pattern
    for pattern in "${openvino_libraries[@]}"; do
        compgen -G "$1/$pattern" >/dev/null || return 1
    done
}
