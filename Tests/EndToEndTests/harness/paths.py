"""Where the binary, its engines and the models of the tests are."""

import os
import pathlib
import shutil

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def from_environment(variable, default):
    return pathlib.Path(os.environ.get(variable, REPOSITORY / default)).absolute()


BINARY = from_environment("MARTLET_BINARY", ".build/debug/martlet")
TENSORFLOW = from_environment("MARTLET_TENSORFLOW_PATH", ".engines/tensorflow")
LITERT = from_environment("MARTLET_LITERT_PATH", ".engines/litert")
OPENVINO = from_environment("MARTLET_OPENVINO_PATH", ".engines/openvino")
OPENVINO_GENAI = from_environment("MARTLET_OPENVINO_GENAI_PATH", ".engines/openvino-genai")
LLAMA = from_environment("MARTLET_LLAMA_PATH", ".engines/llama")
LANGUAGE_MODELS = from_environment("MARTLET_LLM_MODELS", ".models")
FIXTURES = from_environment("MARTLET_FIXTURES", ".models/fixtures")
TOOLS = REPOSITORY / ".tools"


def promtool():
    """Prometheus's own checker of metrics, or None where set-up has not fetched it."""
    unpacked = sorted(path for path in TOOLS.rglob("promtool") if path.is_file())
    return str(unpacked[0]) if unpacked else shutil.which("promtool")
