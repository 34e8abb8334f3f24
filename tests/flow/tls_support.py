"""TLS for the flow tests: certificates of our own, and stand-ins that show them."""

import http.client
import json
import ssl
import subprocess
import urllib.parse

from support import BUCKET, Hub, Store


def make_ca(folder, ca, **places):
    """CA.pem in `folder`, and for each NAME=PLACE what it signed for that place (`IP:127.0.0.1`): NAME.pem and NAME.key."""
    def openssl(*arguments):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *arguments], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    openssl("-subj", "/CN=Flow Test " + ca, "-keyout", ca + ".key", "-out", ca + ".pem")
    for name, place in places.items():
        openssl("-subj", "/CN=" + name, "-addext", "subjectAltName=" + place, "-addext", "basicConstraints=critical,CA:FALSE",
                "-CA", ca + ".pem", "-CAkey", ca + ".key", "-keyout", name + ".key", "-out", name + ".pem")


class TlsHub(Hub):
    """Its admin routes are spoken to over TLS as well."""

    def admin(self, name, value=None, timeout=60):
        command = ["curl", "-sk", "--fail", "--max-time", str(timeout), self.url + "/_admin/" + name]
        if value is not None:
            command += ["--data-binary", json.dumps(value)]
        body = subprocess.run(command, check=True, capture_output=True).stdout
        return json.loads(body) if body else None


class TlsStore(Store):
    def connection(self, timeout):
        parts = urllib.parse.urlsplit(self.url)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout,
                                           context=ssl._create_unverified_context())

    def get(self, target, value=None):
        connection = self.connection(60)
        try:
            connection.request("GET" if value is None else "POST", target, body=None if value is None else json.dumps(value))
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, (target, answer.status, body)
            return body
        finally:
            connection.close()

    def admin(self, name, value=None, timeout=60):
        body = self.get("/_admin/" + name, value)
        return json.loads(body) if body else None

    def body(self, key):
        return self.get("/_admin/object?" + urllib.parse.urlencode({"bucket": BUCKET, "key": key}))
