"""The life of one connection: requests in, answers out, until it ends."""

import ssl
import sys
import time
import traceback

from .answers import Answer, REASONS, S3Error, http_time, request_id
from .requests import Request
from .wire import Abandon, BadRequest, Body, Closed, Connection, read_head

_SLICE = 1024 * 1024


def serve_connection(service, admin, sock, tls):
    """Handles one accepted socket to its end; never raises."""
    reset = False
    conn = None
    service.counters.connection(+1)
    try:
        if tls is not None:
            sock.settimeout(30)
            sock = tls.wrap_socket(sock, server_side=True)
        conn = Connection(sock, service.options.idle_ms / 1000)
        service.open.add(conn)
        again = False
        while not service.stop.is_set():
            head = read_head(conn)
            if head is None:
                break
            if head.path.startswith("/_admin/"):
                go_on = _serve_admin(service, admin, conn, head)
            else:
                go_on = _serve_s3(service, conn, head, again)
            again = True
            if not go_on:
                break
    except Abandon as end:
        reset = end.reset
    except BadRequest:
        try:
            conn.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
                      b"Connection: close\r\n\r\n")
        except Closed:
            pass
    except (Closed, OSError, ssl.SSLError):
        pass
    except Exception:                              # a fault of this program: show it
        traceback.print_exc(file=sys.stderr)
        reset = True
    finally:
        service.counters.connection(-1)
        if conn is not None:
            service.open.discard(conn)
            conn.close(reset)
        else:
            sock.close()


def _serve_admin(service, admin, conn, head):
    body = Body(conn, head, service.stop)
    status, kind, data = admin.handle(head, body)
    if not body.ended:
        body.drain()
    send_answer(conn, head, Answer(status, [("Content-Type", kind)], data),
                [("Date", http_time(time.time()))])
    return head.keep_alive


def _serve_s3(service, conn, head, again):
    rq = Request(head, service.options.domains)
    rq.conn = conn
    began, sent = time.time(), conn.bytes_out
    service.counters.start(rq, again)
    logged = False

    def log(status):
        plan = rq.plan
        names = ([plan.mode()] if plan and plan.acting else []) + (
            sorted(plan.ambient) if plan else [])
        taken = rq.body.taken if rq.body is not None else 0
        service.counters.finish(rq, status, "+".join(names) or None, taken, began)

    try:
        rq.body = Body(conn, head, service.stop)
        try:
            service.authenticate(rq)
            rq.plan = service.faults.plan(rq)
            rq.body = service.body_for(rq, conn)
            answer = service.perform(rq, conn)
        except S3Error as error:
            answer = service.error_answer(rq, error)
        except Closed as end:
            service.counters.bump("idle_timeouts" if end.idle else "cut_bodies")
            if not (end.idle and service.aws):
                raise
            answer = service.error_answer(rq, S3Error(
                "RequestTimeout", "Your socket connection to the server was not read from or "
                "written to within the timeout period."))
            answer.close = True
        logged = True
        log(answer.status)
        return _finish(service, rq, conn, answer)
    finally:
        if not logged:
            log(0)
        service.counters.leave(rq, conn.bytes_out - sent)


def _finish(service, rq, conn, answer):
    """Sends the answer; True if the connection goes on."""
    head, body, plan = rq.head, rq.body, rq.plan
    ambient = plan.ambient if plan else {}
    after = ambient.get("close_after")
    # A client that asked for "100 Continue" and gets a final answer may keep its
    # body to itself, so that what follows could not be told from the body.
    unsure = body.expects and not body.continued and not body.ended
    close = answer.close or unsure or not head.keep_alive \
        or (after is not None and not after.get("silent"))
    answer_headers = [("x-amz-request-id", request_id(service.options.profile)),
                      ("Date", http_time(time.time() + rq.clock_offset)),
                      ("Connection", "close" if close else "Keep-Alive")]
    if service.aws:
        answer_headers += [("x-amz-id-2", "c3RhbmQtaW4="), ("Server", "AmazonS3")]
    mode = plan.mode() if plan else None
    stall_bytes = cut = None
    if mode == "cut_answer":
        cut = int(plan.get("bytes", 0))
    if mode == "stall" and plan.get("at") == "answer":
        stall_bytes = int(plan.get("bytes", 0))
    rate = int(ambient["slow"].get("rate", 0)) if "slow" in ambient else 0
    send_answer(conn, head, answer, answer_headers, cut, rate or service.options.rate,
                service.stop, stall_bytes, lambda: service.stall(conn))
    if cut is not None or stall_bytes is not None:
        raise Abandon(reset=bool(plan.get("reset", False)))
    if answer.close:
        raise Abandon(reset=False)
    if close:
        _linger(conn)
        return False
    if after is not None:
        raise Abandon(reset=bool(after.get("reset", False)))
    if not body.ended:
        body.drain()
    return True


def _linger(conn):
    """Says no more, and reads what is still on its way, so that the answer arrives."""
    try:
        conn.sock.settimeout(1)
        if not isinstance(conn.sock, ssl.SSLSocket):
            conn.sock.shutdown(1)
        for _ in range(1024):
            conn.receive_into(conn.view)
    except (Closed, OSError):
        pass


def _parts_of(answer):
    if answer.slices is None:
        yield memoryview(answer.body)
        return
    for piece in answer.slices:
        for at in range(0, len(piece), _SLICE):
            yield piece[at:at + _SLICE]


def send_answer(conn, head, answer, more_headers, cut=None, rate=0, stop=None,
                stall_at=None, stall=None):
    """Writes head and body; `cut` ends the body early, `stall_at` holds it up there."""
    lines = ["HTTP/1.1 %d %s" % (answer.status, REASONS.get(answer.status, "Status"))]
    bodiless = answer.status in (204, 304) or head.method == "HEAD"
    chunked = (answer.pieces is not None or answer.chunked) and not bodiless \
        and head.version == "HTTP/1.1"
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif answer.status not in (204, 304):
        size = answer.length if answer.length is not None else len(answer.body)
        lines.append("Content-Length: %d" % size)
    lines += ["%s: %s" % pair for pair in answer.headers + more_headers]
    top = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
    if bodiless:
        conn.send(top)
        return
    if answer.pieces is not None:
        conn.send(top)
        for piece in answer.pieces:
            conn.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            conn.send(b"0\r\n\r\n")
        return
    if chunked:
        whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(answer.body), answer.body)
        answer = Answer(answer.status, body=whole if answer.body else b"0\r\n\r\n")
    if answer.slices is None and len(answer.body) < 65536 and cut is None \
            and stall_at is None:
        conn.send(top + answer.body)
        return
    conn.send(top)
    done, began = 0, time.monotonic()
    limit = cut if cut is not None else stall_at
    for piece in _parts_of(answer):
        if limit is not None:
            piece = piece[:max(0, limit - done)]
        while len(piece):
            step = piece[:max(4096, rate // 20)] if rate else piece
            conn.send(step)
            done += len(step)
            piece = piece[len(step):]
            if rate and stop is not None:
                stop.wait(max(0, done / rate - (time.monotonic() - began)))
        if limit is not None and done >= limit:
            break
    if stall_at is not None:
        stall()
