"""SavedModels made to do harm: each a copy of a good one with one thing wrong.

`HOSTILE` maps a name to a function that spoils the folder of a version, and to a pattern that the
refusal must match. A spoiler gets the folder and another one outside of the model's base path,
which holds a secret and which nothing may touch.
"""

import os
import shutil
import socket
import struct

from tensorflow.core.protobuf import saved_model_pb2

SECRET = "the secret of the house next door"

# Kinds of operations that reach files, other processes or foreign code.
FORBIDDEN = [
    "Abort",
    "CSVDatasetV2",
    "CacheDatasetV2",
    "CollectiveReduceV2",
    "Copy",
    "CreateSummaryDbWriter",
    "CreateSummaryFileWriter",
    "DataServiceDatasetV4",
    "DatasetFromGraph",
    "DatasetToTFRecord",
    "DebugIdentityV3",
    "DecodeProtoV2",
    "DeserializeIterator",
    "DistributedSave",
    "DumpTensor",
    "EagerPyFunc",
    "EncodeProto",
    "FileSystemSetConfiguration",
    "FixedLengthRecordDatasetV2",
    "FixedLengthRecordReaderV2",
    "FixedUnigramCandidateSampler",
    "GenerateVocabRemapping",
    "ImmutableConst",
    "ImportEvent",
    "IteratorFromStringHandleV2",
    "LMDBDataset",
    "LMDBReader",
    "LoadAndRemapMatrix",
    "LoadDataset",
    "MatchingFiles",
    "MatchingFilesDataset",
    "NoSuchOperation",
    "PyFunc",
    "PyFuncStateless",
    "ReadFile",
    "RecordInput",
    "Recv",
    "RemoteCall",
    "RpcClient",
    "RpcServer",
    "SaveDatasetV2",
    "Send",
    "Skipgram",
    "SleepOp",
    "SnapshotDatasetV2",
    "SqlDataset",
    "SummaryWriter",
    "TFRecordDatasetV2",
    "TFRecordReaderV2",
    "TextLineDataset",
    "TextLineReaderV2",
    "WholeFileReaderV2",
    "WorkerHeartbeat",
    "WriteFile",
    "WriteRawProtoSummary",
    "WriteSummary",
    "XlaCustomCallV2",
    "XlaLaunch",
]

FORBIDDEN_IN_FUNCTIONS = [
    "DatasetFromGraph",
    "EagerPyFunc",
    "ImmutableConst",
    "MatchingFiles",
    "PyFunc",
    "PyFuncStateless",
    "ReadFile",
    "RemoteCall",
    "SaveDatasetV2",
    "TextLineDataset",
    "WriteFile",
    "XlaCustomCallV2",
]

HOSTILE = {}


def hostile(pattern, name=None):
    def register(spoil):
        HOSTILE[name or spoil.__name__] = (spoil, pattern)
        return spoil

    return register


# Graphs.


class Graph:
    """The graph of a version, written back when the block ends."""

    def __init__(self, version):
        self.file = version / "saved_model.pb"
        self.model = saved_model_pb2.SavedModel.FromString(self.file.read_bytes())
        self.meta = self.model.meta_graphs[0]
        self.library = self.meta.graph_def.library

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.file.write_bytes(self.model.SerializeToString())

    def node(self, name, op, *inputs, **attributes):
        return add_node(self.meta.graph_def.node, name, op, inputs, attributes)

    def find(self, name):
        return next(node for node in self.meta.graph_def.node if node.name == name)

    def function(self, part):
        return next(f for f in self.library.function if part in f.signature.name)

    def call(self, name, function, *inputs):
        self.node(name, "StatefulPartitionedCall", *inputs).attr["f"].func.name = function

    @property
    def restore(self):
        return self.find(self.meta.saver_def.restore_op_name)

    @property
    def output(self):
        return self.find("StatefulPartitionedCall")

    def starts_with(self, name):
        self.meta.collection_def["saved_model_main_op"].node_list.value[:] = [name]
        self.meta.signature_def["__saved_model_init_op"].outputs[
            "__saved_model_init_op"
        ].name = name


def add_node(nodes, name, op, inputs=(), attributes=()):
    node = nodes.add(name=name, op=op, input=inputs)
    for key, value in dict(attributes).items():
        node.attr[key].s = value
    return node


def register_operations():
    for operation in FORBIDDEN:

        @hostile(rf"'{operation}' .*--allow-op {operation}", f"graph_with_{operation}")
        def in_graph(version, _, operation=operation):
            with Graph(version) as graph:
                graph.node("harm", operation)

    for operation in FORBIDDEN_IN_FUNCTIONS:

        @hostile(rf"'{operation}' .*--allow-op {operation}", f"function_with_{operation}")
        def in_function(version, _, operation=operation):
            with Graph(version) as graph:
                add_node(graph.function("inference_serve").node_def, "harm", operation)


register_operations()


@hostile("'SaveV2' .* writes files")
def saver_called_by_requests(version, _):
    with Graph(version) as graph:
        graph.output.input.append("^" + graph.meta.saver_def.save_tensor_name.split(":")[0])


@hostile("'SaveV2' .* writes files")
def saver_called_at_the_start(version, _):
    with Graph(version) as graph:
        graph.starts_with(graph.meta.saver_def.save_tensor_name.split(":")[0])


@hostile("'SaveV2' .* writes files")
def saver_in_the_place_of_restoring(version, _):
    with Graph(version) as graph:
        save = graph.meta.saver_def.save_tensor_name.split(":")[0]
        graph.meta.saver_def.restore_op_name = save


@hostile("'SaveV2' .* writes files")
def saver_that_an_optimiser_may_choose(version, _):
    with Graph(version) as graph:
        graph.function("traced_save").attr["api_implements"].s = b"anything"


@hostile("'MergeV2Checkpoints' .* writes files")
def merge_among_what_restores(version, _):
    with Graph(version) as graph:
        add_node(graph.function("traced_restore").node_def, "merge", "MergeV2Checkpoints")


@hostile("'RestoreV2' .* elsewhere than")
def restoring_called_by_requests(version, _):
    with Graph(version) as graph:
        graph.output.input.append("^" + graph.restore.name)


@hostile("'RestoreV2' .* elsewhere than")
def restoring_called_at_the_start(version, _):
    with Graph(version) as graph:
        graph.starts_with(graph.restore.name)


@hostile("'RestoreV2' .* not the model's own")
def restoring_another_file(version, outside):
    with Graph(version) as graph:
        graph.node("elsewhere", "Const", path=str(outside).encode())
        graph.restore.input[0] = "elsewhere"


@hostile("'RestoreV2' .* not the model's own")
def restoring_another_file_in_a_function(version, _):
    with Graph(version) as graph:
        function = graph.function("traced_restore")
        add_node(function.node_def, "elsewhere", "Const")
        restore = next(node for node in function.node_def if node.op == "RestoreV2")
        restore.input[0] = "elsewhere:output:0"


@hostile("'RestoreV2' .* not the model's own")
def restoring_a_joined_name(version, _):
    with Graph(version) as graph:
        graph.node("up", "Const")
        graph.node("joined", "StringJoin", "saver_filename", "up")
        graph.restore.input[0] = "joined"


def initialise_table(version, file, start=True):
    with Graph(version) as graph:
        graph.node("table", "HashTableV2")
        graph.node("fill", "InitializeTableFromTextFileV2", "table", file)
        graph.node("elsewhere", "Const")
        if start:
            graph.starts_with("fill")
        else:
            graph.output.input.append("^fill")


@hostile("'InitializeTableFromTextFileV2' .* not one of the model's assets")
def table_of_another_file(version, _):
    initialise_table(version, "elsewhere")


@hostile("'InitializeTableFromTextFileV2' .* elsewhere than")
def table_filled_by_requests(version, _):
    initialise_table(version, "elsewhere", start=False)


@hostile("'InitializeTableFromTextFileV2' .* not one of the model's assets")
def table_of_a_file_named_by_a_variable(version, _):
    with Graph(version) as graph:
        graph.node("name", "VarHandleOp", shared_name=b"shared")
        graph.node("alias", "VarHandleOp", shared_name=b"shared")
        graph.meta.asset_file_def.add(filename="x").tensor_info.name = "asset:0"
        graph.node("asset", "Placeholder")
        graph.node("assign", "AssignVariableOp", "name", "asset")
        graph.node("reassign", "AssignVariableOp", "alias", "elsewhere")
        graph.node("read", "ReadVariableOp", "name")
    initialise_table(version, "read")


@hostile("'PrintV2' .* prints to a file")
def printing_to_a_file(version, outside):
    with Graph(version) as graph:
        graph.node("print", "PrintV2", output_stream=f"file://{outside}/printed".encode())


@hostile("'ReadFile' ")
def function_named_as_an_operation(version, _):
    with Graph(version) as graph:
        graph.library.function.add().signature.name = "ReadFile"
        graph.node("harm", "ReadFile")


@hostile("two nodes named 'slope'")
def two_nodes_of_one_name(version, _):
    with Graph(version) as graph:
        graph.node("slope", "Const")


@hostile("two functions named")
def two_functions_of_one_name(version, _):
    with Graph(version) as graph:
        graph.library.function.add().CopyFrom(graph.library.function[0])


@hostile("'ReadFile' ")
def tags_that_are_the_same_as_a_set(version, _):
    with Graph(version) as graph:
        good = graph.model.meta_graphs.add()
        good.CopyFrom(graph.meta)
        graph.meta.meta_info_def.tags[:] = ["serve", "serve"]
        graph.node("harm", "ReadFile")


@hostile("matching supplied tags")
def no_graph_for_serving(version, _):
    with Graph(version) as graph:
        graph.meta.meta_info_def.tags[:] = ["train"]


@hostile("no signature")
def no_signature(version, _):
    with Graph(version) as graph:
        graph.meta.signature_def.clear()


@hostile("dimensions")
def signature_of_a_thousand_dimensions(version, _):
    with Graph(version) as graph:
        shape = graph.meta.signature_def["serving_default"].inputs["x"].tensor_shape
        for _ in range(1000):
            shape.dim.add(size=1 << 62)


@hostile("which the graph does not have")
def signature_of_a_tensor_that_is_not_there(version, _):
    with Graph(version) as graph:
        graph.meta.signature_def["serving_default"].outputs["y"].name = "nothing:0"


@hostile("which the graph does not have")
def signature_of_an_output_that_is_not_there(version, _):
    with Graph(version) as graph:
        graph.meta.signature_def["serving_default"].outputs["y"].name += "999999999999"


@hostile(".")
def graph_that_runs_in_a_circle(version, _):
    with Graph(version) as graph:
        graph.node("a", "Identity", "b").attr["T"].type = 1
        graph.node("b", "Identity", "a").attr["T"].type = 1


@hostile(".")
def input_from_a_node_that_is_not_there(version, _):
    with Graph(version) as graph:
        graph.node("a", "Identity", "nowhere").attr["T"].type = 1


@hostile("A shape has more than")
def constant_whose_shape_overflows(version, _):
    with Graph(version) as graph:
        node = graph.node("big", "Const")
        node.attr["dtype"].type = 1
        node.attr["value"].tensor.dtype = 1
        for _ in range(4):
            node.attr["value"].tensor.tensor_shape.dim.add(size=1 << 40)


@hostile("A shape has more than")
def constant_whose_halves_overflow_together(version, _):
    half = field(2, field(2, b"\x08" + varint(1 << 40)))
    value = field(8, half) + field(8, half)
    setting = field(5, field(1, b"value") + field(2, value))
    append_graph(version, field(1, field(1, b"big") + field(2, b"Const") + setting))


@hostile("A shape has more than")
def constant_that_takes_all_memory(version, _):
    with Graph(version) as graph:
        node = graph.node("big", "Const")
        node.attr["dtype"].type = 1
        tensor = node.attr["value"].tensor
        tensor.dtype = 1
        tensor.tensor_shape.dim.add(size=1 << 36)
        tensor.float_val.append(1)


@hostile("A shape has a dimension of size")
def variable_of_negative_size(version, _):
    with Graph(version) as graph:
        graph.find("slope").attr["shape"].shape.dim.add(size=-7)


@hostile("A shape has more than")
def shape_in_a_list_that_overflows(version, _):
    with Graph(version) as graph:
        shape = graph.find("slope").attr["_output_shapes"].list.shape.add()
        for _ in range(3):
            shape.dim.add(size=1 << 32)


@hostile("A shape has a dimension of size")
def constant_of_negative_size(version, _):
    with Graph(version) as graph:
        node = graph.node("big", "Const")
        node.attr["dtype"].type = 1
        node.attr["value"].tensor.dtype = 1
        node.attr["value"].tensor.tensor_shape.dim.add(size=-5)


@hostile("cannot be read")
def settings_nested_ten_thousand_deep(version, _):
    message = b""
    for _ in range(10_000):
        message = field(10, field(2, field(1, b"f") + field(2, message)))
    node = field(1, b"deep") + field(2, b"NoOp") + field(5, field(1, b"k") + field(2, message))
    append_graph(version, field(1, node))


@hostile("cannot be read")
def name_that_is_no_text(version, _):
    append_graph(version, field(1, field(1, b"\xff\xfe") + field(2, b"ReadFile")))


@hostile("'ReadFile' ")
def operation_in_a_second_part_of_the_graph(version, _):
    append_graph(version, field(1, field(1, b"harm") + field(2, b"ReadFile")))


def append_graph(version, graph):
    """Protobuf merges a field that comes twice: this adds to the first graph of the file."""
    file = version / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    meta = model.meta_graphs[0].SerializeToString() + field(2, graph)
    file.write_bytes(b"\x08\x01" + field(2, meta))


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


# Paths.

ASSETS = {
    "above": "../saved_model.pb",
    "far_above": "../../../../../../etc/passwd",
    "absolute": "/etc/passwd",
    "down_and_up": "a/../../x",
    "with_nul": "birds\0.txt",
    "up_alone": "..",
}


def register_assets():
    for what, name in ASSETS.items():

        @hostile("asset", f"asset_{what}")
        def asset(version, _, name=name):
            with Graph(version) as graph:
                graph.meta.asset_file_def.add(filename=name).tensor_info.name = "slope:0"


register_assets()

LINKS = {
    "saved_model.pb": "{outside}/saved_model.pb",
    "variables": "{outside}",
    "variables/variables.index": "{outside}/secret",
    "variables/variables.data-00000-of-00001": "{outside}/secret",
    "assets": "{outside}",
    "assets/passwd": "/etc/passwd",
    "assets/relative": "../../../../outside/secret",
    "assets/root": "/",
    "assets/environment": "/proc/self/environ",
    "assets/through": "chained",
    "extra/deep/down": "../../../../../outside",
    "assets.extra": "{outside}",
}


def register_links():
    for name, target in LINKS.items():

        @hostile("leads out of", "link_" + name.replace("/", "_").replace(".", "_"))
        def link(version, outside, name=name, target=target):
            path = version / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            (version / "assets").mkdir(exist_ok=True) if name != "assets" else None
            if target == "chained":
                os.symlink(outside, version.parent / "chained")
                target = "../../chained/secret"
            os.symlink(target.format(outside=outside), path)


register_links()


@hostile("leads nowhere")
def link_to_nothing(version, _):
    os.symlink("absent", version / "weights")


@hostile("leads nowhere")
def link_to_itself(version, _):
    os.symlink("weights", version / "weights")


@hostile("folders deep")
def link_to_the_folder_it_is_in(version, _):
    os.symlink(".", version / "again")


@hostile("neither a file nor a folder")
def pipe_among_the_files(version, _):
    os.mkfifo(version / "pipe")


@hostile("neither a file nor a folder")
def pipe_in_the_place_of_the_graph(version, _):
    (version / "saved_model.pb").unlink()
    os.mkfifo(version / "saved_model.pb")


@hostile("neither a file nor a folder|leads out of")
def device_in_the_place_of_the_graph(version, _):
    (version / "saved_model.pb").unlink()
    os.symlink("/dev/zero", version / "saved_model.pb")


@hostile("neither a file nor a folder")
def socket_among_the_files(version, _):
    here = os.getcwd()
    os.chdir(version)  # A socket's path is short.
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("s")
    finally:
        os.chdir(here)


@hostile("folders deep")
def folders_of_great_depth(version, _):
    version.joinpath(*["d"] * 40).mkdir(parents=True)


# Files cut off and put together wrongly.

INDEX = "variables/variables.index"
DATA = "variables/variables.data-00000-of-00001"


def register_cuts():
    for name in ("saved_model.pb", INDEX, DATA):
        for percent in (0, 1, 25, 50, 90, 99):

            @hostile(".", f"{name.split('/')[-1].split('-')[0].replace('.', '_')}_of_{percent}")
            def cut(version, _, name=name, percent=percent):
                content = (version / name).read_bytes()
                (version / name).write_bytes(content[: len(content) * percent // 100])

        @hostile(".", f"{name.split('/')[-1].split('-')[0].replace('.', '_')}_of_ff")
        def overwrite(version, _, name=name):
            (version / name).write_bytes(b"\xff" * (version / name).stat().st_size)


register_cuts()


@hostile("does not exist")
def no_data(version, _):
    (version / DATA).unlink()


@hostile(".")
def no_index(version, _):
    (version / INDEX).unlink()


@hostile("does not exist")
def no_graph(version, _):
    (version / "saved_model.pb").unlink()


@hostile(".")
def data_with_other_bits(version, _):
    content = (version / DATA).read_bytes()
    (version / DATA).write_bytes(bytes(byte ^ 1 for byte in content))


MAGIC = 0xDB4775248B80FB57


def block(pairs):
    body = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in pairs
    )
    return body + struct.pack("<II", 0, 1)


def table(pairs, index=None, footer=None):
    """A checkpoint's index, as TensorFlow writes it but for the checksums."""
    data = block(pairs)
    handle = varint(0) + varint(len(data))
    start = len(data) + 5
    inner = index if index is not None else block([(b"\xff", handle)])
    ends = footer if footer is not None else varint(0) * 2 + varint(start) + varint(len(inner))
    return data + b"\0" * 5 + inner + b"\0" * 5 + ends.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def header(shards):
    return (b"", b"\x08" + varint(shards % (1 << 64)))


def entry(dims=(), **numbers):
    fields = {"dtype": 1, "shard": 3, "offset": 4, "size": 5}
    shape = b"".join(field(2, b"\x08" + varint(size % (1 << 64))) for size in dims)
    return field(2, shape) + b"".join(
        varint(fields[name] << 3) + varint(number % (1 << 64)) for name, number in numbers.items()
    )


TABLES = {
    "no_shards": table([header(0)]),
    "negative_shards": table([header(-1)]),
    "a_billion_shards": table([header(10**9)]),
    "a_second_shard": table([header(2)]),
    "a_huge_size": table([header(1), (b"a", entry(dtype=1, offset=0, size=1 << 62))]),
    "a_negative_size": table([header(1), (b"a", entry(dtype=1, offset=0, size=-8))]),
    "a_negative_offset": table([header(1), (b"a", entry(dtype=1, offset=-8, size=8))]),
    "a_sum_that_overflows": table(
        [header(1), (b"a", entry(dtype=1, offset=(1 << 63) - 1, size=(1 << 63) - 1))]
    ),
    "a_shape_that_overflows": table(
        [header(1), (b"a", entry(dims=(1 << 40, 1 << 40), dtype=1, size=4))]
    ),
    "a_shape_of_negative_size": table([header(1), (b"a", entry(dims=(-3,), dtype=1, size=4))]),
    "a_shape_beyond_its_bytes": table([header(1), (b"a", entry(dims=(1 << 36,), dtype=1, size=4))]),
    "entry_that_is_cut_off": table([header(1), (b"a", b"\x1a\xff\x7f")]),
    "number_that_never_ends": table([header(1), (b"a", b"\x08" + b"\xff" * 20)]),
    "block_outside": table([header(1)], index=block([(b"z", varint(1 << 40) + varint(9))])),
    "block_that_overflows": table(
        [header(1)], index=block([(b"z", varint((1 << 63) - 1) + varint((1 << 63) - 1))])
    ),
    "restarts_beyond_the_block": table([header(1)], index=struct.pack("<II", 0, 0xFFFFFFFF)),
    "footer_of_ones": table([header(1)], footer=b"\xff" * 40),
    "key_shared_with_nothing": table(
        [header(1)], index=varint(99) + varint(1) + varint(0) + b"k" + struct.pack("<II", 0, 1)
    ),
    "length_beyond_the_block": table(
        [header(1)], index=varint(0) + varint(1 << 62) + varint(0) + struct.pack("<II", 0, 1)
    ),
}


def register_tables():
    for what, content in TABLES.items():

        @hostile("variables", f"index_with_{what}")
        def index(version, _, content=content):
            (version / INDEX).write_bytes(content)


register_tables()
