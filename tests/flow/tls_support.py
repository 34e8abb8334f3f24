"""TLS for the flow tests: certificates of our own, and stand-ins that show them."""

import http.client
import socket
import socketserver
import ssl
import subprocess
import threading
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


def system_like(folder, ca):
    """A file of as many certificates as a system trusts, CA.pem among them."""
    file = folder / ("system-with-" + ca + ".pem")
    with open(file, "wb") as out:
        for number in range(140):
            made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                                   "-subj", "/O=Flow Test/CN=Stranger %d" % number, "-keyout", "/dev/null", "-out", "-"],
                                  check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            out.write(made.stdout)
        out.write((folder / (ca + ".pem")).read_bytes())
    return file


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


class Splitter(socketserver.ThreadingTCPServer):
    """TLS before a plain stand-in. JSON and XML go out as chunks, each line and each piece in a TLS record of its own, and all
    records of an answer in one `send`: whoever reads ahead has the next ones in memory."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, folder, name, server):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        self.behind = urllib.parse.urlsplit(server).netloc
        self.split = 0  # answers that went out in chunks
        super().__init__(("127.0.0.1", 0), SplitConnection)
        self.url = f"https://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class SplitConnection(socketserver.BaseRequestHandler):
    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.came, self.goes, self.text = ssl.MemoryBIO(), ssl.MemoryBIO(), b""
        self.tls = self.server.context.wrap_bio(self.came, self.goes, server_side=True)

    def until(self, step):
        """What `step` gives, as soon as enough has come for it; what it wrote goes out in one piece."""
        while True:
            try:
                result = step()
                self.request.sendall(self.goes.read())
                return result
            except ssl.SSLWantReadError:
                self.request.sendall(self.goes.read())
                more = self.request.recv(65536)
                if not more:
                    raise ConnectionResetError from None
                self.came.write(more)

    def read(self, done):
        """The text that has come, as soon as `done(text)` is true."""
        while not done(self.text):
            more = self.until(lambda: self.tls.read(65536))
            if not more:
                raise ConnectionResetError
            self.text += more
        return self.text

    def handle(self):
        try:
            self.until(self.tls.do_handshake)
            while True:
                self.forward(*self.one_request())
        except (OSError, ssl.SSLError):
            pass  # it has gone

    def one_request(self):
        head, _, self.text = self.read(lambda text: b"\r\n\r\n" in text).partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        headers = dict(field.split(": ", 1) for field in fields)
        length = int({name.lower(): value for name, value in headers.items()}.get("content-length", 0))
        body = self.read(lambda text: len(text) >= length)[:length]
        self.text = self.text[length:]
        return *line.split()[:2], headers, body

    def forward(self, method, path, headers, body):
        behind = http.client.HTTPConnection(self.server.behind, timeout=60)
        behind.request(method, path, body or None, headers)
        answer = behind.getresponse()
        content = answer.read()
        behind.close()
        kind = answer.headers.get_content_type()
        chunked = bool(content) and kind.endswith(("json", "xml"))
        here = f"http://{self.server.behind}", self.server.url
        fields = [(name, value.replace(*here)) for name, value in answer.headers.items()
                  if not (chunked and name.lower() == "content-length")]
        fields += [("Transfer-Encoding", "chunked")] if chunked else []
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}"] + [f"{name}: {value}" for name, value in fields] + [""]
        records = [line.encode() + b"\r\n" for line in lines]
        if chunked:
            self.server.split += 1
            for begin in range(0, len(content), 1000):
                piece = content[begin:begin + 1000]
                records += [b"%x\r\n" % len(piece), piece, b"\r\n"]
            records += [b"0\r\n", b"\r\n"]
        elif content:
            records.append(content)
        self.until(lambda: [self.tls.write(record) for record in records])
