"""Load reports (ORCA) in the forms in which servers of others write them."""

import base64
import json
import struct

FIELD = "endpoint-load-metrics"
BINARY_FIELD = "endpoint-load-metrics-bin"
REQUEST_FIELD = "endpoint-load-metrics-format"


def text(**metrics):
    """As Triton and Envoy write them, blanks included."""
    return "TEXT " + ", ".join(f"{name}={value}" for name, value in metrics.items())


def in_flight(requests, latency_seconds=0.001):
    return text(
        **{
            "named_metrics.requests_in_flight": requests,
            "named_metrics.latency_seconds": latency_seconds,
        }
    )


def as_json(**metrics):
    return "JSON " + json.dumps(metrics)


# Fields of the message xds.data.orca.v3.OrcaLoadReport, all of them `double`.
NUMBERS = {
    "cpu_utilization": 1,
    "mem_utilization": 2,
    "rps_fractional": 6,
    "eps": 7,
    "application_utilization": 9,
}


def message(**metrics):
    """The message as protobuf writes it: a key of field and kind, then eight bytes."""
    return b"".join(
        bytes([NUMBERS[name] << 3 | 1]) + struct.pack("<d", value)
        for name, value in metrics.items()
    )


def binary(**metrics):
    return "BIN " + base64.b64encode(message(**metrics)).decode()
