"""SIGTERM and Ctrl-C: the step in progress is finished and saved, then the process ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class StopRequest:
    """Remembers the first signal. A second Ctrl-C takes its usual way at once; further SIGTERMs change nothing, for
    launchers send more than one."""

    def __init__(self) -> None:
        self.signal = 0

    @property
    def exit_code(self) -> int:
        """As the shell has it: 143 after SIGTERM, 130 after Ctrl-C."""
        return 128 + self.signal

    @contextlib.contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Within it, signals are remembered. Other threads than the main one cannot listen, and do not."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def remember(number: int, _: FrameType | None) -> None:
            self.signal = self.signal or number
            if number == signal.SIGINT:
                restore()

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

        for number in before:
            signal.signal(number, remember)
        try:
            yield self
        finally:
            restore()
