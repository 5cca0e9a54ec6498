"""The AWS CLI and the SAM CLI of a shell: `shell_client.py PORT TOOL WORDS...` asks the test."""

from __future__ import annotations

import json
import os
import socket
import sys

if __name__ == "__main__":
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        connection.sendall(json.dumps([sys.argv[2:], dict(os.environ)]).encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile(encoding="utf-8") as answer:
            code, out, complaint = json.load(answer)
    sys.stdout.write(out)
    sys.stderr.write(complaint)
    sys.exit(code)
