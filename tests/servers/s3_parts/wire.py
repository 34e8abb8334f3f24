"""HTTP/1.1 on one socket: heads, bodies and answers, made for bulk uploads.

A connection owns one large buffer that every body is received into, so that a
part of any size costs no further memory unless the store keeps it.
"""

import hashlib
import socket
import ssl
import struct
import time

BUFFER_BYTES = 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
MAX_LINE_BYTES = 16 * 1024


class Closed(Exception):
    """The peer went away, or was idle for too long (`idle`)."""

    def __init__(self, idle=False):
        super().__init__("idle" if idle else "closed")
        self.idle = idle


class Abandon(Exception):
    """Ends the connection without an answer; `reset` sends RST, else FIN."""

    def __init__(self, reset=True):
        super().__init__("abandon")
        self.reset = reset


class BadRequest(Exception):
    """Bytes that are not an HTTP request."""


class Connection:
    """Buffered reading and whole writing on a socket, with an idle limit."""

    def __init__(self, sock, idle_seconds):
        self.sock = sock
        sock.settimeout(idle_seconds)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            pass
        self.buffer = bytearray(BUFFER_BYTES)
        self.view = memoryview(self.buffer)
        self.start = self.end = 0       # what was received and not yet taken
        self.bytes_in = self.bytes_out = 0

    def receive_into(self, view):
        try:
            got = self.sock.recv_into(view)
        except (TimeoutError, socket.timeout):
            raise Closed(idle=True) from None
        except (OSError, ssl.SSLError, ValueError):
            raise Closed() from None
        if not got:
            raise Closed()
        self.bytes_in += got
        return got

    def fill(self):
        """Receives more behind what is waiting; moves it down if there is no room."""
        if self.start == self.end:
            self.start = self.end = 0
        elif self.end == BUFFER_BYTES:
            waiting = bytes(self.view[self.start:self.end])
            self.buffer[:len(waiting)] = waiting
            self.start, self.end = 0, len(waiting)
        self.end += self.receive_into(self.view[self.end:])

    def read_into(self, view):
        """Puts at least one byte into `view` and returns how many."""
        waiting = self.end - self.start
        if waiting:
            take = min(waiting, len(view))
            view[:take] = self.view[self.start:self.start + take]
            self.start += take
            return take
        return self.receive_into(view)

    def until(self, mark, limit):
        """Takes bytes up to and with `mark`."""
        search = self.start
        while True:
            at = self.buffer.find(mark, search, self.end)
            if at >= 0:
                out = bytes(self.view[self.start:at + len(mark)])
                self.start = at + len(mark)
                return out
            if self.end - self.start > limit:
                raise BadRequest("too long")
            offset = max(0, self.end - self.start - len(mark) + 1)
            self.fill()
            search = self.start + offset

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (OSError, ssl.SSLError, ValueError):
            raise Closed() from None
        self.bytes_out += len(data)

    def close(self, reset=False):
        try:
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack("ii", 1, 0))
            else:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        try:
            self.sock.close()
        except OSError:
            pass


class Head:
    """Request line and headers, as they were sent."""

    def __init__(self, raw):
        text = raw.decode("latin-1")
        lines = text.split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest(lines[0][:200])
        self.method, self.target, self.version = words
        if self.target.startswith(("http://", "https://")):     # sent through a proxy
            rest = self.target.split("://", 1)[1]
            self.target = "/" + rest.partition("/")[2]
        self.path, _, self.query = self.target.partition("?")
        self.headers, self.first = [], {}
        for line in lines[1:]:
            if not line:
                continue
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise BadRequest(line[:200])
            self.headers.append((name, value.strip(" \t")))
            self.first.setdefault(name.lower(), value.strip())

    def get(self, name, default=""):
        return self.first.get(name, default)

    @property
    def keep_alive(self):
        words = self.get("connection").lower()
        return "keep-alive" in words if self.version == "HTTP/1.0" else "close" not in words


def read_head(conn):
    """The next request head, or None if the peer closed politely between two."""
    if conn.start == conn.end:
        try:
            conn.fill()
        except Closed:
            return None
    while conn.buffer[conn.start:conn.start + 2] == b"\r\n":
        conn.start += 2
    return Head(conn.until(b"\r\n\r\n", MAX_HEAD_BYTES))


class Body:
    """A request body: by length, chunked, or none.

    `trip_at` and `trip` let a fault act after exactly that many bytes; `rate`
    is bytes per second or 0; `stop` is the event that ends all waiting.
    """

    def __init__(self, conn, head, stop, rate=0, continues=1):
        self.conn, self.stop, self.rate = conn, stop, rate
        self.chunked = "chunked" in head.get("transfer-encoding").lower()
        length = head.get("content-length")
        if length and not length.isdigit():
            raise BadRequest("content-length")
        self.length = None if self.chunked or not length else int(length)
        self.left = 0 if self.chunked else int(length or 0)
        self.ended = not self.chunked and self.left == 0
        self.expects = "100-continue" in head.get("expect").lower()
        self.continues = continues
        self.continued = self.unasked = False
        self.taken = 0
        self.line_end_due = False       # the line end behind a chunk is still to be read
        self.trip_at, self.trip = None, None
        self.trailer = []
        self.began = None

    @property
    def declared(self):
        """The length the client named, or None."""
        return self.length

    def begin(self):
        if self.began is None:
            self.began = time.monotonic()
            if (self.expects or self.unasked) and not self.ended:
                for _ in range(self.continues):
                    self.conn.send(b"HTTP/1.1 100 CONTINUE\r\n\r\n")
                self.continued = True

    def read_into(self, view):
        """Puts bytes into `view`; 0 at the end of the body."""
        self.begin()
        if self.trip is not None and self.taken >= self.trip_at:
            act, self.trip = self.trip, None
            act()
        if self.ended:
            return 0
        if self.chunked and self.left == 0:
            self._next_chunk()
            if self.ended:
                return 0
        want = min(len(view), self.left)
        if self.trip is not None:
            want = min(want, self.trip_at - self.taken)
        if self.rate:
            want = min(want, max(4096, self.rate // 20))
        got = self.conn.read_into(view[:want])
        self.left -= got
        self.taken += got
        if self.left == 0:
            # The piece may lie in the connection's buffer: read nothing more now.
            self.line_end_due = self.chunked
            self.ended = not self.chunked
        if self.rate:
            ahead = self.taken / self.rate - (time.monotonic() - self.began)
            if ahead > 0:
                self.stop.wait(ahead)
        return got

    def _next_chunk(self):
        if self.line_end_due:
            self.conn.until(b"\r\n", MAX_LINE_BYTES)
            self.line_end_due = False
        line = self.conn.until(b"\r\n", MAX_LINE_BYTES)
        try:
            self.left = int(line.split(b";")[0], 16)
        except ValueError:
            raise BadRequest("chunk size") from None
        if self.left == 0:
            while True:
                line = self.conn.until(b"\r\n", MAX_LINE_BYTES)
                if line == b"\r\n":
                    break
                self.trailer.append(line.decode("latin-1").strip())
            self.ended = True

    def drain(self):
        """Takes the rest and throws it away, so that the connection stays usable."""
        self.trip = None
        while self.read_into(self.conn.view):
            pass


class Deframer:
    """Takes the `aws-chunked` framing off a body; checksums in it are not verified."""

    def __init__(self, body):
        self.body = body
        self.pending, self.left, self.ended = bytearray(), 0, False
        self.scratch = bytearray(65536)

    def _more(self):
        got = self.body.read_into(memoryview(self.scratch))
        if not got:
            raise BadRequest("aws-chunked body ended early")
        self.pending += self.scratch[:got]

    def _line(self):
        while b"\r\n" not in self.pending:
            if len(self.pending) > MAX_LINE_BYTES:
                raise BadRequest("aws-chunked line")
            self._more()
        line, _, rest = bytes(self.pending).partition(b"\r\n")
        self.pending = bytearray(rest)
        return line

    def read_into(self, view):
        if self.ended:
            return 0
        if self.left == 0:
            line = self._line() or self._line()
            try:
                self.left = int(line.split(b";")[0], 16)
            except ValueError:
                raise BadRequest("aws-chunked size") from None
            if self.left == 0:
                while self.body.read_into(memoryview(self.scratch)):
                    pass
                self.ended = True
                return 0
        if not self.pending:
            self._more()
        take = min(len(view), self.left, len(self.pending))
        view[:take] = self.pending[:take]
        del self.pending[:take]
        self.left -= take
        return take


class Received:
    """What became of a body: its size, its MD5, and its bytes if they were kept."""

    def __init__(self, size, md5, sha256, data):
        self.size, self.md5, self.sha256, self.data = size, md5, sha256, data


def receive(conn, source, expected, keep, want_sha256, flip_at=None):
    """Reads a whole body.

    With `keep` the bytes go straight into their final place.  `flip_at` changes
    one byte on its way in, as a store with a fault would.
    """
    md5 = hashlib.md5()
    sha = hashlib.sha256() if want_sha256 else None
    if keep and expected is not None:
        data = bytearray(expected)
    else:
        data = bytearray() if keep else None
    view = memoryview(data) if keep and expected is not None else None
    # Taking waiting bytes out of the connection's buffer into its own beginning is
    # safe: they only ever move down, and a piece is used up before the next read.
    scratch = conn.view if isinstance(source, Body) else memoryview(bytearray(256 * 1024))
    size = 0
    while True:
        target = view[size:size + BUFFER_BYTES] if view is not None and size < expected \
            else scratch
        got = source.read_into(target)
        if not got:
            break
        piece = target[:got]
        if sha is not None:
            sha.update(piece)
        if flip_at is not None and size <= flip_at < size + got:
            piece[flip_at - size] ^= 0x01
        md5.update(piece)
        if view is None and keep:
            data += piece
        size += got
    return Received(size, md5.hexdigest(), sha.hexdigest() if sha else None, data)
