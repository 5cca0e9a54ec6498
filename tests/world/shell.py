"""An account for commands of a shell: programs that ask the account of the test's process."""

from __future__ import annotations

import contextlib
import json
import shlex
import socketserver
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world.account import Account

CLIENT = Path(__file__).parent / "shell_client.py"
SWIFTLY = ["-S", "-E", "-P"]  # Python starts in a third of the time


class Answering(socketserver.StreamRequestHandler):
    """Answers one call of a shell."""

    def handle(self) -> None:
        """Let the account answer."""
        words, variables = json.loads(self.rfile.read())
        account: Account = self.server.account  # type: ignore[attr-defined]
        done = account.run(words, variables)
        answer = [done.returncode, done.stdout, done.stderr]
        self.wfile.write(json.dumps(answer).encode())


@contextlib.contextmanager
def found_by_shells(account: Account) -> Iterator[str]:
    """Answer meanwhile for an account; return the command to which a tool's name is added."""
    with socketserver.TCPServer(("127.0.0.1", 0), Answering) as server:
        server.account = account  # type: ignore[attr-defined]
        account.takes_time = False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        port = str(server.server_address[1])
        try:
            yield f"exec {shlex.join([sys.executable, *SWIFTLY, str(CLIENT), port])}"
        finally:
            server.shutdown()
            thread.join()
