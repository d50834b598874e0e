"""`python -m bridge.web`, which the bridge starts: it is handed its sockets, and ends when the bridge does."""

from __future__ import annotations

import argparse
import resource
import socket
import sys

from bridge.spared import spared


def main() -> int:
    """Serve until the bridge is gone, or says so."""
    options = _parser().parse_args()
    _raise_file_limit()
    with spared("rich"):  # which would draw tracebacks in colours, for 4 MB
        import structlog  # noqa: F401, PLC0415 - here for the first time
    from bridge.web.serving import serve  # noqa: PLC0415 - behind what can be wrong with the call

    listeners = [socket.socket(fileno=descriptor) for descriptor in options.listen]
    return serve(socket.socket(fileno=options.channel), listeners)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bridge.web", description="Serve Postbell's web client.")
    parser.add_argument("--channel", type=int, required=True, help="the descriptor of the socket to the bridge")
    parser.add_argument("--listen", type=int, action="append", required=True, help="that of a listening socket")
    return parser


def _raise_file_limit() -> None:
    """Each page needs two descriptors; take as many as the system gives."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
