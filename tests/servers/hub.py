#!/usr/bin/env python3
"""A stand-in Hugging Face Hub with its CDN, for tests on the loopback.

Two listeners on 127.0.0.1 serve the repositories below a folder (and
virtual ones of any size) the way the real Hub and its CDN do: info, paged
tree, paths-info, refs, resolve with its two redirect chains, resolve-cache,
signed CDN URLs that pin a range, rate-limit headers and error answers.
Once ready it prints one line of JSON: {"hub": URL, "cdn": URL}.

Faults are added with POST /_admin/faults, a JSON list of objects such as
{"id": "reset_after", "path": "*.safetensors", "after_bytes": 100000}.
An id is a mode name or a row number of the contract's table F.11:

row  mode (parameters)                       what happens
1    rate_limited (t, r)                     429, RateLimit r=0;t=T, 52 kB HTML
2    retry_after (seconds)                   429 with Retry-After only
3    too_many                                429 with neither
4 5  status (status, headers, body, rate)    any status, by default 503 (row 5: 408)
6    reset_before_headers                    TCP reset instead of an answer
7    reset_after (after_bytes | at_offset)   TCP reset inside the body
8    short_fin (after_bytes | at_offset)     clean end before Content-Length
9    stall (after_bytes | at_offset)         the body stops; ends at a reset of the faults
10   trickle (rate)                          the body at RATE bytes per second
11   expire (life_s, cached)                 the minted URL lives LIFE_S seconds
12   forbidden (sticky)                      CDN 403 XML, for ever on that URL
13   pin (range, cached)                     a bare resolve mints a pinned URL (bad cache);
                                             with cached, "no-cache" gets past it
     invalid_range                           CDN 403 "invalid range" right away
14   unranged_400                            CDN 400 on GET without Range, at any size
15   invalid_key_pair (sticky)               CDN 403 until a new URL is minted
16   ignore_range                            200 with the whole file
17   wrong_content_range (start_shift, total_shift); no_content_range
18   bogus_416 (total)                       416 with bytes */177
19   gzip                                    forced gzip, chunked, weak ETag, no ranges
20   no_linked_size                          resolve without X-Linked-Size
21   lying_length (length)                   redirect text (or HEAD) of a misleading length
22   head_405; no_head_length; no_length     HEAD refused or without length
23   redirect (status, location)             307 to itself with &hop=N; count 3 is a chain of
                                             three, count -1 a loop; location may hold {target}
                                             {path} {query} {n} {hub} {cdn}
24   always on                               wrong case of an id: 307
25   redirect, status 308, foreign location
26   bare_401, repo_not_found
27   gated_401, gated_403
28   always on                               the CDN answers 400 to Authorization
29   unauthorized                            401; use skip for "after k good answers"
30   disabled
31   revision_not_found, entry_not_found
32   starred (fields)                        xetHash and lfs.oid as 64 stars
33   flip (flip_offset)                      one byte of the file inverted
34   wrong_size (delta)                      listing (or resolve) size differs from the bytes
35   wrong_sha                               listing (or resolve) digest differs
36   wrong_commit (commit); no_repo_commit
37   link_loop, link_relative, link_no_space, link_foreign (origin), link_garbled,
     link_empty_page; for "500 on page 2": status with route tree and skip 1
38   move_branch (branch, to)                the branch moves right after an info answer
39 40 41                                     data, not faults: see README-hub.md
42   delay (delay_ms); or --cdn-ttfb-ms and --cdn-rate
43   connection_cap (limit, status)          503 while more requests than that are in flight
44   odd_headers                             duplicates, mixed case, long, folded
45   close                                   Connection: close
46   --dead-ipv6                             [::1] swallows connections
47   reset_on_connect (listener)             reset at connect or instead of the TLS handshake;
                                             for a bad certificate give one with --tls-cert
49   noise                                   Set-Cookie and x-hf-warning
50   no_expires                              no Expires in the minted URL
-    direct_200, relative_302                a mirror's resolve; extra_hop: CDN redirects again

Every fault takes: route (info tree paths refs auth resolve cache cdn other
hub any, several joined by |), path (glob on the file path), repo (glob on
type/owner/name), method, count (default 1, -1 for ever), skip, probability
with seed, delay_ms.  See README-hub.md for the admin routes.
"""

import argparse
import json
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hub_parts.core import Hub, dead_ipv6, load_json  # noqa: E402


def arguments(argv):
    parser = argparse.ArgumentParser(description="A stand-in Hugging Face Hub for tests.")
    parser.add_argument("--root", required=True, help="folder with models/ datasets/ spaces/")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cdn-port", type=int, default=0)
    parser.add_argument("--virtual", metavar="SPEC.json", help="virtual repositories")
    parser.add_argument("--digest-cache", metavar="FILE",
                        help="keep digests of generated files here between runs")
    parser.add_argument("--prepare", action="store_true",
                        help="compute all digests before saying ready")
    parser.add_argument("--page-size", type=int, default=1000)
    parser.add_argument("--cdn-ttfb-ms", type=int, default=0)
    parser.add_argument("--cdn-rate", type=int, default=0,
                        help="bytes per second and connection; 0 is unlimited")
    parser.add_argument("--unranged-limit", type=int, default=50_000_000_000)
    parser.add_argument("--url-life-s", type=int, default=3600)
    parser.add_argument("--xet", action=argparse.BooleanOptionalAction, default=True,
                        help="send the Xet headers and hashes")
    parser.add_argument("--gzip", action=argparse.BooleanOptionalAction, default=True,
                        help="compress git files for clients that accept it")
    parser.add_argument("--strict-auth", action=argparse.BooleanOptionalAction, default=True,
                        help="the CDN answers 400 to Authorization")
    parser.add_argument("--user-token", action="append", default=["hf_user"],
                        help="a valid token without access to anything")
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    parser.add_argument("--cdn-tls", nargs=2, metavar=("CERT", "KEY"), help="another certificate for the CDN")
    parser.add_argument("--dead-ipv6", action="store_true",
                        help="call the Hub localhost and let [::1] swallow connections")
    parser.add_argument("--exit-with-parent", action="store_true",
                        help="end when standard input closes")
    options = parser.parse_args(argv)
    if bool(options.tls_cert) != bool(options.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    return options


def main(argv=None):
    options = arguments(argv)
    settings = {name: getattr(options, name) for name in (
        "page_size", "cdn_ttfb_ms", "cdn_rate", "unranged_limit", "url_life_s", "xet", "gzip",
        "strict_auth")}
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    hub = Hub(os.path.abspath(options.root), options.port, options.cdn_port,
              load_json(options.virtual), options.digest_cache,
              (options.tls_cert, options.tls_key) if options.tls_cert else None, options.cdn_tls,
              options.user_token, "localhost" if options.dead_ipv6 else "127.0.0.1", settings)
    dead = []
    if options.dead_ipv6:
        for listener in hub.listeners.values():
            dead += dead_ipv6(listener.port)
    if options.prepare:
        for repo in hub.store.all():
            for name in repo.revision_names():
                repo.resolve(name).prepare()
    hub.start()
    print(json.dumps(hub.origins), flush=True)
    if options.exit_with_parent:
        def watch():
            while sys.stdin.buffer.read(4096):
                pass
            done.set()
        threading.Thread(target=watch, daemon=True).start()
    done.wait()
    hub.release.renew()
    for sock in dead:
        sock.close()
    # Ends at once even if some connection thread is still inside a send.
    os._exit(0)


if __name__ == "__main__":
    main()
