#!/usr/bin/env python3
"""The places that give out a store's temporary keys, as AWS runs them, on one port of 127.0.0.1:

    POST /                                                   STS, AssumeRoleWithWebIdentity
    GET  /v1/credentials                                     the agent of EKS Pod Identity, or of ECS
    PUT  /latest/api/token, GET /latest/meta-data/...        the instance's metadata, version 2 only

Written after the contract of this project (s3, 5) and after botocore, which is its other client in credentials_test.py.
Prints {"endpoint": URL} when it is ready. Admin routes (JSON):

    POST /_admin/sessions   the keys given out, in order, the last one for ever: [{"access_key", "secret_key",
                            "session_token", "expires_in_s"}]
    POST /_admin/tokens     {"identity": [...], "agent": "..."}: the tokens that STS and the agent accept
    POST /_admin/faults     [{"place": sts|agent|metadata, "what": glob of the path, "mode": status|hang|body, "status",
                            "body", "count"}]
    POST /_admin/reset      forgets all of these
    GET  /_admin/counters   {"issued": {place: N}, "log": [{"place", "method", "path", "headers", "form"}]}
"""

import argparse
import datetime
import fnmatch
import http.server
import json
import re
import sys
import threading
import urllib.parse
import xml.sax.saxutils

ROLE = "arn:aws:iam::123456789012:role/model-writer"
INSTANCE_ROLE = "node-role"
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class State:
    """What the admin routes set and read."""

    def __init__(self):
        self.lock = threading.Lock()
        self.left = threading.Event()
        self.reset()

    def reset(self):
        with self.lock:
            self.sessions, self.tokens, self.faults = [], {"identity": ["identity-1"], "agent": "agent-1"}, []
            self.issued, self.log = {}, []
            self.left.set()
            self.left = threading.Event()

    def next_session(self, place):
        with self.lock:
            self.issued[place] = self.issued.get(place, 0) + 1
            session = self.sessions.pop(0) if len(self.sessions) > 1 else self.sessions[0]
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=session.get("expires_in_s", 3600))
        return {**session, "expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def fault_for(self, place, path):
        with self.lock:
            for fault in self.faults:
                if fault["place"] == place and fnmatch.fnmatch(path, fault.get("what", "*")) and fault.get("count", 1) != 0:
                    fault["count"] = fault.get("count", 1) - 1
                    return fault
        return None


class Requests(http.server.BaseHTTPRequestHandler):
    """One connection."""
    protocol_version = "HTTP/1.1"
    state = None

    def log_message(self, *args):
        pass

    def answer(self, status, body, kind="text/plain", **headers):
        raw = body.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8")

    # --- admin

    def admin(self, method, name):
        state = self.state
        if method == "GET" and name == "counters":
            with state.lock:
                return self.answer(200, json.dumps({"issued": state.issued, "log": state.log}))
        given = json.loads(self.body() or "null")
        if name == "reset":
            state.reset()
        elif name in ("sessions", "tokens", "faults"):
            with state.lock:
                setattr(state, name, given)
        else:
            return self.answer(404, "{}")
        return self.answer(200, "{}")

    # --- who is asked

    def handle_any(self):
        path, method = self.path, self.command
        if path.startswith("/_admin/"):
            return self.admin(method, path[len("/_admin/"):])
        text = self.body()
        form = dict(urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)))
        place = "metadata" if path.startswith("/latest/") else "sts" if path == "/" else "agent"
        with self.state.lock:
            self.state.log.append({"place": place, "method": method, "path": path, "form": form,
                                   "headers": {name.lower(): value for name, value in self.headers.items()}})
        fault = self.state.fault_for(place, path)
        if fault and fault["mode"] == "hang":
            self.state.left.wait(60)
            self.close_connection = True
            return None
        if fault:
            return self.answer(fault.get("status", 200), fault.get("body", ""))
        return getattr(self, place)(method, path, form)

    do_GET = do_PUT = do_POST = do_HEAD = handle_any

    # --- STS

    def sts_error(self, status, code, message):
        self.answer(status, '<ErrorResponse xmlns="%s">\n  <Error>\n    <Type>Sender</Type>\n    <Code>%s</Code>\n'
                    "    <Message>%s</Message>\n  </Error>\n  <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId>\n"
                    "</ErrorResponse>\n" % (NAMESPACE, code, xml.sax.saxutils.escape(message)), "text/xml")

    def sts(self, method, _, form):
        if method != "POST" or form.get("Action") != "AssumeRoleWithWebIdentity" or form.get("Version") != "2011-06-15":
            return self.sts_error(400, "InvalidAction", "Could not find operation for version")
        if self.headers.get("Authorization"):
            return self.sts_error(400, "SignatureDoesNotMatch", "this action is not signed")
        if not self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return self.sts_error(400, "InvalidAction", "no form")
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", form.get("RoleSessionName", "")):
            return self.sts_error(400, "ValidationError", "roleSessionName does not fit")
        if form.get("RoleArn") != ROLE:
            return self.sts_error(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        if form.get("WebIdentityToken") not in self.state.tokens["identity"]:
            return self.sts_error(400, "InvalidIdentityToken", "the token %s is not good" % form.get("WebIdentityToken"))
        keys = self.state.next_session("sts")
        return self.answer(200, '<AssumeRoleWithWebIdentityResponse xmlns="%s">\n <AssumeRoleWithWebIdentityResult>\n'
                           "  <SubjectFromWebIdentityToken>system:serviceaccount:a:b</SubjectFromWebIdentityToken>\n"
                           "  <Audience>sts.amazonaws.com</Audience>\n  <AssumedRoleUser>\n   <Arn>%s</Arn>\n"
                           "   <AssumedRoleId>AROACLKWSDQRAOEXAMPLE:app1</AssumedRoleId>\n  </AssumedRoleUser>\n"
                           "  <Credentials>\n   <AccessKeyId>%s</AccessKeyId>\n   <SecretAccessKey>%s</SecretAccessKey>\n"
                           "   <SessionToken>%s</SessionToken>\n   <Expiration>%s</Expiration>\n  </Credentials>\n"
                           " </AssumeRoleWithWebIdentityResult>\n <ResponseMetadata><RequestId>ad4156e9</RequestId>"
                           "</ResponseMetadata>\n</AssumeRoleWithWebIdentityResponse>\n"
                           % (NAMESPACE, ROLE, keys["access_key"], keys["secret_key"], keys["session_token"],
                              keys["expiration"]), "text/xml")

    # --- the container's agent

    def agent(self, method, path, _):
        if method != "GET" or not path.startswith("/v1/credentials"):
            return self.answer(404, "no such path")
        if self.headers.get("Authorization") != self.state.tokens["agent"]:
            return self.answer(401, "the token is not good")
        keys = self.state.next_session("agent")
        return self.answer(200, json.dumps({
            "AccessKeyId": keys["access_key"], "SecretAccessKey": keys["secret_key"], "Token": keys["session_token"],
            "AccountId": "123456789012", "Expiration": keys["expiration"]}), "application/json")

    # --- the instance's metadata

    def metadata(self, method, path, _):
        if path == "/latest/api/token":
            seconds = self.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
            if method != "PUT":
                return self.answer(405, "")
            if not seconds.isdigit() or not 1 <= int(seconds) <= 21600:
                return self.answer(400, "")
            return self.answer(200, "AQAAAMetadataSession==", x_aws_ec2_metadata_token_ttl_seconds=seconds)
        if self.headers.get("x-aws-ec2-metadata-token") != "AQAAAMetadataSession==":
            return self.answer(401, "")
        roles = "/latest/meta-data/iam/security-credentials/"
        if path == roles:
            return self.answer(200, INSTANCE_ROLE)
        if path != roles + INSTANCE_ROLE:
            return self.answer(404, "")
        keys = self.state.next_session("metadata")
        return self.answer(200, json.dumps({
            "Code": "Success", "LastUpdated": "2026-11-21T00:00:00Z", "Type": "AWS-HMAC", "AccessKeyId": keys["access_key"],
            "SecretAccessKey": keys["secret_key"], "Token": keys["session_token"], "Expiration": keys["expiration"]}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--exit-with-parent", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    Requests.state = State()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Requests)
    server.daemon_threads = True
    print(json.dumps({"endpoint": "http://127.0.0.1:%d" % server.server_port}), flush=True)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    if options.exit_with_parent:
        sys.stdin.read()
    else:
        serving.join()


if __name__ == "__main__":
    main()
