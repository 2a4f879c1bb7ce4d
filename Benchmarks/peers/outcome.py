"""What one round of one row found."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Outcome:
    """One round. What an engine's loop does not tell is None."""

    rate: float
    requests: int | None = None
    seconds: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    # Processor time of the server's processes, microseconds a request.
    cpu_us: float | None = None
    # Of one core, which is all that h2load's one thread can use.
    client_busy: float | None = None
    # Of the whole machine: what neither the server nor its clients used.
    others_busy: float | None = None
    stolen: float | None = None

    def as_json(self) -> dict[str, float | int | None]:
        """The same as a JSON object."""
        return asdict(self)
