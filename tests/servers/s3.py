#!/usr/bin/env python3
"""A stand-in S3 store for tests: strict about signatures, and able to fail on demand.

It behaves like a Ceph RADOS Gateway of release 18, or with --profile aws like
Amazon S3.  Faults are set over unsigned routes under /_admin/; README-s3.md has
the list.  When it is ready it prints one line of JSON with its endpoint and then
serves until SIGTERM, or until its standard input ends with --exit-with-parent.
"""

import argparse
import json
import os
import signal
import socket
import ssl
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from s3_parts.admin import Admin                            # noqa: E402
from s3_parts.connection import serve_connection            # noqa: E402
from s3_parts.counters import Counters                      # noqa: E402
from s3_parts.faults import Faults                          # noqa: E402
from s3_parts.service import Service                        # noqa: E402
from s3_parts.sigv4 import Credential, Verifier             # noqa: E402
from s3_parts.store import Store                            # noqa: E402

DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY = "standin-key", "standin-secret"


def arguments(argv):
    """The command line; every option has a default but the bucket."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--bucket", action="append", required=True, help="may be given more than once")
    add("--access-key", default=DEFAULT_ACCESS_KEY)
    add("--secret-key", default=DEFAULT_SECRET_KEY)
    add("--session-token", default="", help="makes the key a temporary one")
    add("--allow-anonymous", action="store_true", help="accept requests without a signature")
    add("--region", default="us-east-1", help="enforced by --profile aws only")
    add("--profile", choices=("rgw", "aws"), default="rgw")
    add("--domain", dest="domains", action="append",
        help="bucket.DOMAIN as host name means virtual-host style (default localhost)")
    add("--min-part", type=int, default=5 * 1024 * 1024)
    add("--max-parts", type=int, default=10000)
    add("--keep", choices=("memory", "none"), default="memory",
        help="none: forget contents of 1 MiB and more, keep sizes and hashes")
    add("--latency-ms", type=float, default=0, help="wait before answering a part")
    add("--rate", type=int, default=0, help="bytes per second and connection, each way")
    add("--idle-ms", type=float, default=65000, help="close after so long without bytes")
    add("--clock-offset", type=float, default=0, help="seconds the store's clock is off")
    add("--odd-upload-ids", action="store_true", help="upload ids that need encoding")
    add("--tls-cert")
    add("--tls-key")
    add("--exit-with-parent", action="store_true", help="end when standard input ends")
    options = parser.parse_args(argv)
    options.domains = options.domains or ["localhost"]
    if bool(options.tls_cert) != bool(options.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    return options


def listener(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(4096)
    return sock


def accept_all(service, admin, sock, tls):
    """One thread for each connection, until the listener is closed."""
    while not service.stop.is_set():
        try:
            client, _ = sock.accept()
        except OSError:
            if service.stop.is_set():
                return
            service.stop.wait(0.01)            # out of file descriptors: try again
            continue
        threading.Thread(target=serve_connection, args=(service, admin, client, tls),
                         daemon=True).start()


def end_with_parent(stop):
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    stop.set()


def main(argv=None):
    options = arguments(argv)
    tls = None
    if options.tls_cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.tls_cert, options.tls_key)
        tls.set_alpn_protocols(["http/1.1"])
    keys = [Credential(options.access_key, options.secret_key, options.session_token)]
    verifier = Verifier(keys, options.region, strict=options.profile == "aws",
                        anonymous=options.allow_anonymous)
    service = Service(options, Store(options.bucket, options.keep == "memory",
                                     options.odd_upload_ids), Faults(), Counters(), verifier)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop.set())
    threading.stack_size(512 * 1024)
    sock = listener(options.port)
    threading.Thread(target=accept_all, args=(service, Admin(service), sock, tls),
                     daemon=True).start()
    if options.exit_with_parent:
        threading.Thread(target=end_with_parent, args=(service.stop,), daemon=True).start()
    print(json.dumps({"endpoint": "%s://127.0.0.1:%d" % (
        "https" if tls else "http", sock.getsockname()[1])}), flush=True)
    service.stop.wait()
    sock.close()
    for conn in list(service.open):
        conn.close()
    return 0


if __name__ == "__main__":
    os._exit(main())           # without waiting for threads that serve
