"""Definitions of what is read from files and never sent: no package that is set up has them.

Here they are as the sources of TensorFlow Serving, TensorFlow and ONNX have them: the label and
type of each field and its name, by its number.
"""

UNSHIPPED = {
    "tensorflow.serving.SSLConfig": {
        1: "string server_key",
        2: "string server_cert",
        3: "string custom_ca",
        4: "bool client_verify",
    },
    "tensorflow.serving.PrometheusConfig": {1: "bool enable", 2: "string path"},
    "tensorflow.serving.MonitoringConfig": {1: "PrometheusConfig prometheus_config"},
    "tensorflow.serving.ThreadPoolFactoryConfig": {1: "Any thread_pool_factory_config"},
    "tensorflow.serving.SavedModelBundleSourceAdapterConfig": {
        1000: "SessionBundleConfig legacy_config"
    },
    "tensorflow.serving.SessionBundleSourceAdapterConfig": {1: "SessionBundleConfig config"},
    "tensorflow.serving.ModelWarmupOptions": {
        1: "Int32Value num_request_iterations",
        2: "Int32Value num_model_warmup_threads",
        3: "string model_name",
        4: "int64 model_version",
    },
    "tensorflow.serving.SessionBundleConfig": {
        1: "string session_target",
        2: "ConfigProto session_config",
        3: "BatchingParameters batching_parameters",
        4: "Int32Value session_run_load_threadpool_index",
        5: "uint64 experimental_transient_ram_bytes_during_load",
        6: "repeated string saved_model_tags",
        778: "repeated NamedTensorProto experimental_fixed_input_tensors",
        779: "bool enable_model_warmup",
        780: "ModelWarmupOptions model_warmup_options",
        781: "bool enable_session_metadata",
        782: "bool remove_unused_fields_from_bundle_metagraph",
        783: "bool prefer_tflite_model",
        784: "bool resource_estimation_uses_validation_result",
        785: "int32 num_tflite_interpreters",
        786: "int32 num_tflite_interpreters_per_pool",
        787: "int32 num_tflite_pools",
    },
    "tensorflow.serving.BatchingParameters": {
        1: "Int64Value max_batch_size",
        2: "Int64Value batch_timeout_micros",
        3: "Int64Value max_enqueued_batches",
        4: "Int64Value num_batch_threads",
        5: "StringValue thread_pool_name",
        6: "repeated int64 allowed_batch_sizes",
        7: "bool pad_variable_length_inputs",
        8: "BoolValue enable_large_batch_splitting",
        9: "Int64Value max_execution_batch_size",
    },
    "tensorflow.serving.SavedModelConfig": {
        1: "optional SessionOverrides session_overrides",
        3: "bool critical",
    },
    "tensorflow.serving.SessionOverrides": {
        2: "optional BatchOpRewriteConfig batch_op_rewriter_config"
    },
    "tensorflow.serving.BatchOpRewriteConfig": {
        1: "repeated ModelSchedulerOptionsEntry model_scheduler_options",
        2: "repeated BatchOptionsEntry batch_options",
        4: "bool enable_adaptive_shared_batching_thread_pool",
    },
    "tensorflow.serving.BatchOpRewriteConfig.ModelSchedulerOptionsEntry": {
        1: "string key",
        2: "AdaptiveBatchSchedulerOption value",
    },
    "tensorflow.serving.BatchOpRewriteConfig.BatchOptionsEntry": {
        1: "string key",
        2: "BatchOptions value",
    },
    "tensorflow.serving.BatchOpRewriteConfig.AdaptiveBatchSchedulerOption": {
        1: "UInt32Value min_inflight_batches_limit",
        2: "UInt32Value initial_inflight_batches_limit",
        3: "UInt32Value max_inflight_batches_limit",
        4: "UInt32Value batches_to_average_over",
    },
    "tensorflow.serving.BatchOpRewriteConfig.BatchOptions": {
        1: "optional int32 num_batch_threads",
        2: "optional int32 max_batch_size",
        3: "optional int32 batch_timeout_micros",
        4: "repeated int32 allowed_batch_sizes",
        5: "optional int32 max_enqueued_batches",
        6: "optional bool disable_large_batch_splitting",
        7: "optional AdaptiveBatchSchedulerOption adaptive_batch_scheduler_option",
    },
    "onnx.ModelProto": {
        1: "int64 ir_version",
        7: "GraphProto graph",
        25: "repeated FunctionProto functions",
    },
    "onnx.GraphProto": {
        1: "repeated NodeProto node",
        2: "string name",
        5: "repeated TensorProto initializer",
        11: "repeated ValueInfoProto input",
        12: "repeated ValueInfoProto output",
        15: "repeated SparseTensorProto sparse_initializer",
    },
    "onnx.FunctionProto": {1: "string name", 7: "repeated NodeProto node"},
    "onnx.NodeProto": {
        3: "string name",
        4: "string op_type",
        5: "repeated AttributeProto attribute",
        7: "string domain",
    },
    "onnx.AttributeProto": {
        1: "string name",
        5: "TensorProto t",
        6: "GraphProto g",
        10: "repeated TensorProto tensors",
        11: "repeated GraphProto graphs",
        22: "SparseTensorProto sparse_tensor",
        23: "repeated SparseTensorProto sparse_tensors",
    },
    "onnx.TensorProto": {
        1: "repeated int64 dims",
        2: "int32 data_type",
        8: "string name",
        13: "repeated StringStringEntryProto external_data",
        14: "int32 data_location",
    },
    "onnx.SparseTensorProto": {
        1: "TensorProto values",
        2: "TensorProto indices",
        3: "repeated int64 dims",
    },
    "onnx.StringStringEntryProto": {1: "string key", 2: "string value"},
    "onnx.ValueInfoProto": {1: "string name", 2: "TypeProto type"},
    "onnx.TypeProto": {1: "Tensor tensor_type"},
    "onnx.TypeProto.Tensor": {1: "int32 elem_type", 2: "TensorShapeProto shape"},
    "onnx.TensorShapeProto": {1: "repeated Dimension dim"},
    "onnx.TensorShapeProto.Dimension": {1: "int64 dim_value", 2: "string dim_param"},
}
