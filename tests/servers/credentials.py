#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A stand-in for the places that give out AWS keys: STS (web identity), a container's agent, and the metadata service.

It behaves as section 5 of the S3 contract says. Prints one line of JSON with its address and serves until its standard
input ends. `POST /_admin/set` replaces what it does: `keys` (a list, the n-th question for keys gets the n-th, the last one
stays), `token` (what a caller must show), `fault` (`404`, `500`, `hang`, `nonsense`). `GET /_admin/asked` tells who asked.
"""

import datetime
import http.server
import json
import sys
import threading
import urllib.parse

STATE = {"keys": [], "token": "", "fault": ""}
ASKED = []
LOCK = threading.Lock()
STS = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%(access_key)s</AccessKeyId>
    <SecretAccessKey>%(secret_key)s</SecretAccessKey><SessionToken>%(session_token)s</SessionToken>
    <Expiration>%(expiration)s</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""
STS_ERROR = "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>no: %s</Message></Error></ErrorResponse>"
ROLES = "/latest/meta-data/iam/security-credentials/"


def take():
    """The next keys, with the time at which they say they end."""
    with LOCK:
        keys = STATE["keys"].pop(0) if len(STATE["keys"]) > 1 else STATE["keys"][0]
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=keys.get("life_s", 3600))
    return {**keys, "expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body="", kind="text/plain"):
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()

    def spoilt(self):
        """The fault, if there is one. True when the answer is given."""
        fault = STATE["fault"]
        if fault == "hang":
            threading.Event().wait(30)
        elif fault == "nonsense":
            self.answer(200, '{"AccessKeyId": 7, "hello": [')
        elif fault:
            self.answer(int(fault), "trouble")
        return bool(fault)

    def note(self):
        ASKED.append(self.command + " " + self.path)

    def json_keys(self):
        keys = take()
        self.answer(200, json.dumps({"Code": "Success", "AccessKeyId": keys["access_key"], "SecretAccessKey": keys["secret_key"],
                                     "Token": keys["session_token"], "Expiration": keys["expiration"]}), "application/json")

    def do_GET(self):
        if self.path == "/_admin/asked":
            return self.answer(200, json.dumps(ASKED))
        self.note()
        if self.spoilt():
            return None
        if self.path == "/v1/credentials":
            if self.headers.get("Authorization", "") != STATE["token"]:
                return self.answer(403, "who are you?")
            return self.json_keys()
        if self.headers.get("x-aws-ec2-metadata-token") != "metadata-token":
            return self.answer(401)
        if self.path == ROLES:
            return self.answer(200, "node role\n")
        return self.json_keys() if self.path == ROLES + "node%20role" else self.answer(404)

    def do_PUT(self):
        self.note()
        if self.path != "/latest/api/token" or self.headers.get("x-aws-ec2-metadata-token-ttl-seconds") != "21600":
            return self.answer(400)
        return None if self.spoilt() else self.answer(200, "metadata-token")

    def do_POST(self):
        body = self.body()
        if self.path == "/_admin/set":
            STATE.update({"keys": [], "token": "", "fault": "", **json.loads(body)})
            ASKED.clear()
            return self.answer(200, "{}")
        self.note()
        if self.spoilt():
            return None
        form = dict(urllib.parse.parse_qsl(body))
        if form.get("Action") != "AssumeRoleWithWebIdentity" or form.get("Version") != "2011-06-15" or not form.get("RoleArn"):
            return self.answer(400, STS_ERROR % ("ValidationError", ""), "text/xml")
        if form.get("WebIdentityToken") != STATE["token"]:
            return self.answer(400, STS_ERROR % ("InvalidIdentityToken", form.get("WebIdentityToken")), "text/xml")
        return self.answer(200, STS % take(), "text/xml")


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"url": "http://127.0.0.1:%d" % server.server_port}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
