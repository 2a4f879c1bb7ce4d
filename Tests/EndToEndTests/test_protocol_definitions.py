"""The hand-kept protocol definitions against the ones that stock clients were made from.

A wrong number or name would still compile, and would lose a field in silence on the wire. The stock
definitions are taken out of the generated Python modules as text, not imported, so that TensorFlow
is not loaded and two releases of it need not share a descriptor pool. Those of the profiler's
service are in no Python package; TensorFlow's library carries them. A few are in no package at all,
and a table repeats them.
"""

import ast
import mmap
import subprocess
import sys
from pathlib import Path

import grpc_tools
import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from harness.unshipped_definitions import UNSHIPPED

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "Sources" / "MartletProtocols" / "Protos"

# Where the stock packages keep the definitions. The last folders are those of several releases.
STOCK_MODULES = [
    "tensorflow_serving/apis/*_pb2.py",
    "tensorflow_serving/config/*_pb2.py",
    "grpc_health/v1/health_pb2.py",
    "tritonclient/grpc/*_pb2.py",
    "tensorflow/core/example/*_pb2.py",
    "tensorflow/core/framework/*_pb2.py",
    "tensorflow/core/protobuf/*_pb2.py",
    "tensorflow/tsl/protobuf/error_codes_pb2.py",
    "tensorflow/compiler/xla/tsl/protobuf/*_pb2.py",
    "tensorflow/tsl/profiler/protobuf/*_pb2.py",
]

# The definitions that TensorFlow's library carries as they are.
LIBRARY = ROOT / ".engines" / "tensorflow" / "libtensorflow_cc.so.2"
LIBRARY_FILES = [
    "tsl/profiler/protobuf/profiler_service.proto",
    "tsl/profiler/protobuf/profiler_service_monitor_result.proto",
]


UNPACKABLE = {
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_BYTES,
    FieldDescriptorProto.TYPE_MESSAGE,
    FieldDescriptorProto.TYPE_GROUP,
}


class Definitions:
    """Messages, enumerations and services by full name."""

    def __init__(self, files):
        self.messages: dict[str, DescriptorProto] = {}
        self.enums: dict[str, EnumDescriptorProto] = {}
        self.services: dict[str, ServiceDescriptorProto] = {}
        for file in files:
            for message in file.message_type:
                self._add(file.package, message)
            for enum in file.enum_type:
                self.enums.setdefault(f"{file.package}.{enum.name}", enum)
            for service in file.service:
                self.services.setdefault(f"{file.package}.{service.name}", service)

    def _add(self, scope, message):
        # The first definition wins: the files come newest first.
        name = f"{scope}.{message.name}"
        if name in self.messages:
            return
        self.messages[name] = message
        for nested in message.nested_type:
            self._add(name, nested)
        for enum in message.enum_type:
            self.enums.setdefault(f"{name}.{enum.name}", enum)


def compiled_files(protos, folder):
    """Compiles every definition under `protos` into descriptors."""
    output = folder / "descriptors.bin"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={protos}"]
    command.append(f"--proto_path={Path(grpc_tools.__file__).parent / '_proto'}")
    command.append(f"--descriptor_set_out={output}")
    command += sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return FileDescriptorSet.FromString(output.read_bytes()).file


def embedded_file(module):
    """Returns the definition that a generated Python module carries as a bytes literal."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(attr="AddSerializedFile"), args=[literal]):
                return FileDescriptorProto.FromString(ast.literal_eval(literal))
    return None


def library_file(library, name):
    """Finds a definition in a program's data: a message that begins with the name of its file.

    Its end is where no field of such a message can follow: the numbers rise, but for those of the
    lists of dependencies.
    """
    encoded = name.encode()
    start = library.find(b"\n" + bytes([len(encoded)]) + encoded + b"\x12")
    assert start >= 0, f"TensorFlow's library carries no {name}"
    wire_types = {1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 7: 2, 8: 2, 10: 0, 11: 0, 12: 2}
    at, last = start, 0
    while True:
        tag, content = varint(library, at)
        number = tag >> 3
        if wire_types.get(number) != tag & 7 or (number < last and number not in (10, 11)):
            return FileDescriptorProto.FromString(library[start:at])
        value, at = varint(library, content)
        at += value if tag & 7 == 2 else 0
        last = last if number in (10, 11) else number


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def library_files():
    with LIBRARY.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return [library_file(data, name) for name in LIBRARY_FILES]


def stock_folders():
    # The models' environment holds the TensorFlow that is served, which is newer than what the
    # clients' environment may hold.
    yield from sorted((ROOT / ".venv-models").glob("lib/python3*/site-packages"))
    yield from (Path(folder) for folder in sys.path if folder)


def stock_files():
    modules = (
        module
        for folder in stock_folders()
        for pattern in STOCK_MODULES
        for module in sorted(folder.glob(pattern))
    )
    return [file for file in map(embedded_file, modules) if file is not None] + library_files()


@pytest.fixture(scope="module")
def own_files(tmp_path_factory):
    return compiled_files(PROTOS, tmp_path_factory.mktemp("protocols"))


@pytest.fixture(scope="module")
def own(own_files):
    return Definitions(own_files)


@pytest.fixture(scope="module")
def stock():
    definitions = Definitions(stock_files())
    if "tensorflow.SignatureDef.DefaultsEntry" not in definitions.messages:
        pytest.fail("neither .venv nor .venv-models holds a recent TensorFlow; run the set-up")
    return definitions


def camel_case(name):
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def is_packable(field):
    return field.label == FieldDescriptorProto.LABEL_REPEATED and field.type not in UNPACKABLE


def is_packed(field):
    if not is_packable(field):
        return False
    return field.options.packed if field.options.HasField("packed") else True


def describe(message):
    """Returns what matters on the wire, in JSON and in an API for each field, by number."""

    def choice(field):
        return message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""

    return {
        field.number: {
            "name": field.name,
            "type": FieldDescriptorProto.Type.Name(field.type),
            "type_name": field.type_name,
            "label": FieldDescriptorProto.Label.Name(field.label),
            "packed": is_packed(field),
            "json_name": field.json_name or camel_case(field.name),
            "choice": choice(field),
            "optional": field.proto3_optional,
        }
        for field in message.field
    }


def reserved_numbers(message):
    return {number for area in message.reserved_range for number in range(area.start, area.end)}


def shipped(definitions):
    return {name: value for name, value in definitions.items() if name not in UNSHIPPED}


def declaration(field):
    """Returns type and name of a field as its file has them."""
    if field.proto3_optional:
        label = "optional "
    else:
        label = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
    plain = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"{label}{field.type_name.rpartition('.')[2] or plain} {field.name}"


def test_the_definitions_are_all_there(own):
    needed = {
        "tensorflow.TensorProto",
        "tensorflow.TensorShapeProto.Dim",
        "tensorflow.SavedModel",
        "tensorflow.MetaGraphDef.MetaInfoDef",
        "tensorflow.SignatureDef.DefaultsEntry",
        "tensorflow.serving.PredictRequest.InputsEntry",
        "tensorflow.serving.PredictResponse.OutputsEntry",
        "tensorflow.serving.SignatureDefMap",
        "tensorflow.serving.GetModelMetadataResponse.MetadataEntry",
        "tensorflow.serving.GetModelStatusResponse",
        "tensorflow.serving.StatusProto",
        "grpc.health.v1.HealthCheckResponse",
        "tensorflow.Example",
        "tensorflow.ConfigProto.Experimental",
        "tensorflow.profiler.XSpace",
        "tensorflow.ProfileResponse",
        "tensorflow.serving.MultiInferenceResponse",
        "tensorflow.serving.ReloadConfigResponse",
        "tensorflow.serving.PredictionLog",
        "inference.ModelInferResponse.InferOutputTensor",
        "inference.ModelStatistics",
        *UNSHIPPED,
    }
    assert needed <= own.messages.keys()
    assert {"tensorflow.DataType", "tensorflow.error.Code"} <= own.enums.keys()


def test_every_file_has_the_syntax_of_the_stock_definitions(own_files):
    assert {file.syntax for file in own_files} == {"proto3"}


def test_every_field_is_the_stock_one(own, stock):
    for name, message in shipped(own.messages).items():
        assert name in stock.messages, f"no stock package defines {name}"
        theirs = describe(stock.messages[name])
        for number, field in describe(message).items():
            assert field == theirs.get(number), f"{name}, field {number}"


def test_what_no_package_ships_is_as_the_table_has_it(own, stock):
    for name, fields in UNSHIPPED.items():
        assert name not in stock.messages, f"a stock package defines {name}; take it off the table"
        message = own.messages[name]
        assert {field.number: declaration(field) for field in message.field} == fields, name
        assert message.options.map_entry == name.endswith("Entry"), name
        assert all(is_packed(field) for field in message.field if is_packable(field)), name


def test_every_map_is_a_stock_map(own, stock):
    for name, message in shipped(own.messages).items():
        assert message.options.map_entry == stock.messages[name].options.map_entry, name


def test_every_stock_field_that_is_left_out_is_reserved(own, stock):
    for name, message in shipped(own.messages).items():
        theirs = stock.messages[name]
        declared = {field.number for field in message.field}
        left_out = [field for field in theirs.field if field.number not in declared]
        numbers = {field.number for field in left_out} | reserved_numbers(theirs)
        names = {field.name for field in left_out} | set(theirs.reserved_name)
        assert reserved_numbers(message) == numbers, name
        assert set(message.reserved_name) == names, name


def test_every_enumeration_has_the_stock_values(own, stock):
    for name, enum in own.enums.items():
        assert name in stock.enums, f"no stock package defines {name}"
        ours = {value.name: value.number for value in enum.value}
        assert ours == {value.name: value.number for value in stock.enums[name].value}, name


def test_every_method_is_a_stock_method(own, stock):
    def kind(method):
        streams = (method.client_streaming, method.server_streaming)
        return (method.input_type, method.output_type, *streams)

    for name, service in own.services.items():
        assert name in stock.services, f"no stock package defines {name}"
        theirs = {method.name: method for method in stock.services[name].method}
        for method in service.method:
            assert method.name in theirs, f"{name}/{method.name}"
            assert kind(method) == kind(theirs[method.name]), f"{name}/{method.name}"


def test_the_services_are_those_that_the_servers_speak(own):
    methods = {
        f"{name}/{method.name}"
        for name, service in own.services.items()
        for method in service.method
    }
    assert methods == {
        "tensorflow.ProfilerService/Monitor",
        "tensorflow.ProfilerService/Profile",
        "tensorflow.ProfilerService/Terminate",
        "tensorflow.serving.PredictionService/Classify",
        "tensorflow.serving.PredictionService/GetModelMetadata",
        "tensorflow.serving.PredictionService/MultiInference",
        "tensorflow.serving.PredictionService/Predict",
        "tensorflow.serving.PredictionService/Regress",
        "tensorflow.serving.ModelService/GetModelStatus",
        "tensorflow.serving.ModelService/HandleReloadConfigRequest",
        "inference.GRPCInferenceService/ModelConfig",
        "inference.GRPCInferenceService/ModelInfer",
        "inference.GRPCInferenceService/ModelMetadata",
        "inference.GRPCInferenceService/ModelReady",
        "inference.GRPCInferenceService/ModelStatistics",
        "inference.GRPCInferenceService/ModelStreamInfer",
        "inference.GRPCInferenceService/RepositoryIndex",
        "inference.GRPCInferenceService/RepositoryModelLoad",
        "inference.GRPCInferenceService/RepositoryModelUnload",
        "inference.GRPCInferenceService/ServerLive",
        "inference.GRPCInferenceService/ServerMetadata",
        "inference.GRPCInferenceService/ServerReady",
        "inference.GRPCInferenceService/SystemSharedMemoryRegister",
        "inference.GRPCInferenceService/SystemSharedMemoryStatus",
        "inference.GRPCInferenceService/SystemSharedMemoryUnregister",
        "grpc.health.v1.Health/Check",
        "grpc.health.v1.Health/Watch",
    }
