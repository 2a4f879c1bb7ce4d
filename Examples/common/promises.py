"""What the demo promises, and whether it was so."""

from dataclasses import dataclass, field

from common.terminal import verdict


@dataclass
class Promises:
    """The list that the demo ends with."""

    checks: list[tuple[bool, str]] = field(default_factory=list)

    def check(self, good: bool, promise: str, otherwise: str) -> None:
        """Record the promise, or the reason why it was not kept."""
        self.checks.append((good, promise if good else otherwise))

    def fail(self, reason: str) -> None:
        """Record why the demo could not go on."""
        self.checks.append((False, reason))

    def show(self) -> None:
        """Print every promise with ✓ or ✗."""
        for good, text in self.checks:
            verdict(good, text)

    @property
    def all_good(self) -> bool:
        """Whether every promise was kept, of one at least."""
        return bool(self.checks) and all(good for good, _ in self.checks)
