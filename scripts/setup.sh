#!/usr/bin/env bash
# Fetches what building, testing and the demo need into git-ignored folders of this project.
#
#   scripts/setup.sh PART...
#
#   packages       Debian packages (the only part that changes the machine)
#   swift          checks that a new enough Swift is there
#   engine         TensorFlow's two libraries            .engines/tensorflow/
#   litert         LiteRT's library                      .engines/litert/
#   openvino       OpenVINO's libraries                  .engines/openvino/
#   openvino-genai OpenVINO GenAI in a Python, for LLMs  .engines/openvino-genai/
#   llama          llama.cpp's libraries (compiles)      .engines/llama/
#   llama-server   its own server, to measure beside     .tools/llama.cpp/bin/
#   llm-models     SmolLM2, a small language model       .models/smollm2-*/1/
#   gemma          Gemma 3 270M (under Google's terms)   .models/gemma-3-270m/1/
#   clients        Python with third-party clients       .venv/
#   models-venv    Python with TensorFlow, for fixtures  .venv-models/
#   fixtures       small models made for the tests       .models/fixtures/
#   demo-model     basic-pitch, a real trained model     .models/basic-pitch/1/
#   promtool       Prometheus' checker                   .tools/promtool
#   bench-peers    nginx, to measure beside              .tools/nginx
#   lint-tools     shellcheck (Debian) and ruff          .tools/python/
#
# A part that is already in place takes no time; one that was interrupted starts again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# shellcheck source=versions.env
source scripts/versions.env
# shellcheck source=setup/common.sh
source scripts/setup/common.sh
# shellcheck source=setup/packages.sh
source scripts/setup/packages.sh
# shellcheck source=setup/wheels.sh
source scripts/setup/wheels.sh
# shellcheck source=setup/engine.sh
source scripts/setup/engine.sh
# shellcheck source=setup/genai.sh
source scripts/setup/genai.sh
# shellcheck source=setup/llama.sh
source scripts/setup/llama.sh
# shellcheck source=setup/python.sh
source scripts/setup/python.sh
# shellcheck source=setup/models.sh
source scripts/setup/models.sh

if (($# == 0)); then
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 64
fi
for part in "$@"; do
    case $part in
        packages | swift | engine | litert | openvino | clients | models-venv | fixtures) ;;
        demo-model | promtool | bench-peers | lint-tools | llama | llama-server | llm-models) ;;
        openvino-genai | gemma) ;;
        *) fail "unknown part '$part'" "run scripts/setup.sh without arguments to see the parts" ;;
    esac
done

lock_setup
for part in "$@"; do
    begin_part "$part"
    "set_up_${part//-/_}"
    end_part
done
