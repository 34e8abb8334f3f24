"""TLS for the flow tests: certificates of our own, and stand-ins that show them."""

import http.client
import ssl
import subprocess
import urllib.parse

from support import Hub, Store


def make_ca(folder, ca, **places):
    """CA.pem in `folder`, and for each NAME=PLACE what it signed for that place (`IP:127.0.0.1`): NAME.pem and NAME.key."""
    def openssl(*arguments):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *arguments], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    openssl("-subj", "/CN=Flow Test " + ca, "-keyout", ca + ".key", "-out", ca + ".pem")
    for name, place in places.items():
        openssl("-subj", "/CN=" + name, "-addext", "subjectAltName=" + place, "-addext", "basicConstraints=critical,CA:FALSE",
                "-CA", ca + ".pem", "-CAkey", ca + ".key", "-keyout", name + ".key", "-out", name + ".pem")


class Tls:
    """A stand-in whose admin routes are spoken to over TLS as well, whatever certificate it shows."""

    def connection(self, timeout):
        parts = urllib.parse.urlsplit(self.url)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout,
                                           context=ssl._create_unverified_context())


class TlsHub(Tls, Hub):
    pass


class TlsStore(Tls, Store):
    pass
