# SPDX-License-Identifier: MIT
"""nginx as the Hub and as its CDN: static answers, written before it is started.

The Hub says what the real one says of a model and its files (info, listing in pages of 1000 with a Link to the next, a
redirect with commit, size and hash), with all files in LFS. The CDN serves the bytes with sendfile and ranges, and an index of
each model for rclone's http backend. With the edge profile each answer with bytes waits 660 ms and then comes at 28 MiB/s a
connection; HEAD and the index do not wait, which is kinder to rclone than a real edge.
"""

import grp
import json
import os
import pwd
import signal
import socket
import subprocess
import time

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PAGE = 1000
EDGE_FIRST_BYTE_S, EDGE_MIB_S = 0.66, 28
ECHO_MODULE = "/usr/lib/nginx/modules/ngx_http_echo_module.so"


def free_port(taken=()):
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in taken:
            return port


def entry(path, size, sha256):
    pointer = sha256[:40]  # a pointer's own hash is never looked at
    return {"type": "file", "oid": pointer, "size": size, "path": path, "lfs": {"oid": sha256, "size": size, "pointerSize": 134}}


class Hub:
    """A Hub and its CDN in one nginx, with `hub` and `cdn` as their addresses."""

    def __init__(self, folder, models, edge=False, tls=None):
        """`tls`: (certificate, key) for both; `folder` is its own."""
        self.folder, self.models, self.edge, self.tls = folder, models, edge, tls
        scheme = "https" if tls else "http"
        hub_port = free_port()
        cdn_port = free_port({hub_port})
        self.hub, self.cdn = f"{scheme}://127.0.0.1:{hub_port}", f"{scheme}://127.0.0.1:{cdn_port}"
        self.ports = hub_port, cdn_port
        for name in ("api", "cdn", "temporary"):
            (folder / name).mkdir(parents=True)
        for model in models:
            self.write_model(model)
        (folder / "nginx.conf").write_text(self.configuration(), encoding="utf-8")
        self.process = self.start()

    def write_model(self, model):
        api = self.folder / "api" / model.id
        api.mkdir(parents=True)
        info = {"_id": "0" * 24, "id": model.id, "modelId": model.id, "sha": COMMIT, "private": False, "gated": False,
                "disabled": False, "siblings": []}
        (api / "info.json").write_text(json.dumps(info), encoding="utf-8")
        entries = [entry(path, size, sha256) for path, (size, sha256) in model.files.items()]
        for number in range(0, max(1, len(entries)), PAGE):
            (api / f"page-{number // PAGE}.json").write_text(json.dumps(entries[number:number + PAGE]), encoding="utf-8")
        place = self.folder / "cdn" / model.id
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(model.folder)

    def maps(self):
        """Which page follows, and what is promised of each file."""
        following, sizes, tags = [], [], []
        for model in self.models:
            for number in range((len(model.files) - 1) // PAGE):
                url = f"{self.hub}/api/models/{model.id}/tree/{COMMIT}?recursive=true&expand=false&cursor={number + 1}"
                following.append(f"\"{model.id}:{number}\" '<{url}>; rel=\"next\"';")
            for path, (size, sha256) in model.files.items():
                sizes.append(f'"{model.id}/{path}" {size};')
                tags.append(f"\"{model.id}/{path}\" '\"{sha256}\"';")
        plain = 'map $arg_cursor $page { default 0; "~^[0-9]+$" $arg_cursor; }\n'
        return plain + "".join(f"map {key} {name} {{ default ''; {' '.join(lines)} }}\n" for key, name, lines in (
            ('"$model:$page"', "$following", following), ('"$model/$path"', "$linked_size", sizes),
            ('"$model/$path"', "$linked_tag", tags)))

    def server(self, port, locations):
        keys = f"ssl_certificate {self.tls[0]}; ssl_certificate_key {self.tls[1]};" if self.tls else ""
        return f"server {{ listen 127.0.0.1:{port}{' ssl' if self.tls else ''}; {keys}\n{locations}}}\n"

    def hub_locations(self):
        return fr"""
location ~ ^/api/models/(?<model>[^/]+/[^/]+)(/revision/[^/]+)?$ {{
  default_type application/json; root {self.folder}/api; try_files /$model/info.json =404; }}
location ~ ^/api/models/(?<model>[^/]+/[^/]+)/tree/ {{
  default_type application/json; add_header Link $following; root {self.folder}/api; try_files /$model/page-$page.json =404; }}
location ~ ^/(?<model>[^/]+/[^/]+)/resolve/[^/]+/(?<path>.+)$ {{
  add_header X-Repo-Commit {COMMIT}; add_header X-Linked-Size $linked_size; add_header X-Linked-ETag $linked_tag;
  return 302 {self.cdn}/$model/$path; }}
"""

    def cdn_locations(self):
        files = f"root {self.folder}/cdn; default_type application/octet-stream;"
        index = f"location ~ /$ {{ {files} autoindex on; autoindex_exact_size off; }}\n"
        if not self.edge:
            return index + f"location / {{ {files} }}\n"
        # Small pieces, or the limit would let two seconds' worth through at once.
        return index + f"""location / {{ {files}
  if ($request_method = GET) {{ echo_sleep {EDGE_FIRST_BYTE_S}; echo_exec @bytes; }} }}
location @bytes {{ {files} limit_rate {EDGE_MIB_S}m; sendfile_max_chunk 512k; }}
"""

    def configuration(self):
        temporary = "".join(f"{name}_temp_path {self.folder}/temporary/{name};\n"
                            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        return (f"load_module {ECHO_MODULE};\n" if self.edge else "") + (
            (f"user {user} {group};\n" if os.getuid() == 0 else "") +
            f"worker_processes auto;\npid {self.folder}/pid;\ndaemon off;\nerror_log {self.folder}/error.log warn;\n"
            "events { worker_connections 4096; }\nhttp {\naccess_log off;\nsendfile on;\ntcp_nopush on;\n"
            "keepalive_requests 1000000;\nkeepalive_timeout 300s;\nserver_tokens off;\n"
            "map_hash_max_size 131072;\nmap_hash_bucket_size 512;\nvariables_hash_max_size 2048;\nssl_protocols TLSv1.2 TLSv1.3;\n"
            + temporary + self.maps() + self.server(self.ports[0], self.hub_locations())
            + self.server(self.ports[1], self.cdn_locations()) + "}\n")

    def start(self):
        process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "nginx", "-p", str(self.folder), "-c",
                                    str(self.folder / "nginx.conf")], stdin=subprocess.DEVNULL,
                                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        until = time.monotonic() + 20
        while time.monotonic() < until and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.ports[1])) == 0:
                    return process
            time.sleep(0.05)
        process.kill()
        raise SystemExit(f"bench: nginx does not start: {(self.folder / 'error.log').read_text(errors='replace')[-1000:]}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def one_stream(self, model, most):
        """What a single curl gets from the CDN: of the first file, and of a range of it."""
        path, (size, _) = next(iter(model.files.items()))
        whole = self.time_of(f"{self.cdn}/{model.id}/{path}", 0, min(size, most))
        begin = size // 3
        part = self.time_of(f"{self.cdn}/{model.id}/{path}", begin, min(size - begin, 8 << 20))
        return {"first_byte_s": whole[0], "mib_s": whole[1], "range_first_byte_s": part[0], "range_mib_s": part[1]}

    def many_streams(self, model, count):
        """MiB/s of so many curls side by side, each with a whole file of its own, into /dev/null."""
        files = list(model.files.items())[:count]
        begun = time.monotonic()
        curls = [subprocess.Popen(["curl", "-sSf", "--noproxy", "*", "-o", "/dev/null", f"{self.cdn}/{model.id}/{path}"])
                 for path, _ in files]
        assert not any([curl.wait() for curl in curls]), "a curl failed"
        return sum(size for _, (size, _) in files) / (1 << 20) / (time.monotonic() - begun)

    @staticmethod
    def time_of(url, begin, length):
        said = subprocess.run(["curl", "-sSf", "--noproxy", "*", "-r", f"{begin}-{begin + length - 1}", "-o", "/dev/null", "-w",
                               "%{time_starttransfer} %{time_total} %{size_download}", url], check=True, capture_output=True,
                              text=True).stdout.split()
        first, total, size = map(float, said)
        assert size == length, f"{url}: {size:.0f} bytes of {length}"
        return first, size / (1 << 20) / max(total - first, 1e-6)
