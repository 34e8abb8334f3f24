#!/usr/bin/env python3
"""The measuring part of scripts/bench, which see.

What is measured of a tool is its whole process tree: wall time; CPU seconds, user and system; bytes written to disks
(the kernel's count, getrusage's ru_oublock); and the highest sum of proportional set sizes (PSS), sampled from /proc
every 50 ms. The servers share the machine's cores with the tools but are not counted.
"""

import argparse
import datetime
import json
import os
import pathlib
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MIB = 1 << 20
FILES = 16
KEY, SECRET = "bench-key", "bench-secret"
RCLONE_FLAGS = "--s3-chunk-size 16Mi --s3-upload-concurrency 4 --s3-no-check-bucket --s3-no-head"


def say(text):
    print("bench:", text, file=sys.stderr, flush=True)


class Server:
    """A stand-in as a process that ends with this one."""

    def __init__(self, script, *options):
        self.process = subprocess.Popen([sys.executable, "-B", ROOT / "tests/servers" / script, "--exit-with-parent",
                                         *map(str, options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


class Store:
    """Where the bytes go: an endpoint with credentials and a bucket."""

    def __init__(self, name, endpoint, key, secret, bucket):
        self.name, self.bucket = name, bucket
        self.environment = {"S3_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
                            "AWS_DEFAULT_REGION": "us-east-1", "BUCKET": bucket}
        self.s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key,
                               aws_secret_access_key=secret,
                               config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}))

    def sizes(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}

    def clear(self):
        for key in self.sizes():
            self.s3.delete_object(Bucket=self.bucket, Key=key)

    def put_url(self, key):
        return self.s3.generate_presigned_url("put_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=36000)


# --- the tools --------------------------------------------------------------------------------------------------


class Tool:
    """`each` is run by the shell for every file, `parallel` at a time, with $URL, $KEY, $SIZE and $PUT; `whole` is run
    once for the whole model."""

    def __init__(self, name, verified, each="", whole=""):
        self.name, self.verified, self.each, self.whole = name, verified, each, whole

    def plain(self):
        """Its name outside a Markdown table."""
        return self.name.replace("\\", "")

    def command(self, model, store, prefix, parallel, hub, folder):
        if self.whole:
            return self.whole
        lines = folder / "files"
        with lines.open("w", encoding="utf-8") as out:
            for path, size in model["files"].items():
                key = prefix + path
                fields = f"{hub}/{model['id']}/resolve/main/{path}", key, str(size), store.put_url(key)
                out.write(" ".join(map(shlex.quote, fields)) + "\n")
        script = 'URL=$1 KEY=$2 SIZE=$3 PUT=$4; ' + self.each
        return f"xargs -P {parallel} -L 1 bash -o pipefail -c {shlex.quote(script)} - < {shlex.quote(str(lines))}"


TOOLS = [
    Tool("hfpour", "yes, every file's SHA-256, before it becomes visible",
         whole='"$HFPOUR" "hf://$MODEL" "s3://$BUCKET/$PREFIX" --quiet'),
    Tool("rclone copyurl", "no", each=f'rclone copyurl "$URL" "s3:$BUCKET/$KEY" {RCLONE_FLAGS}'),
    Tool("curl \\| aws s3 cp -", "no", each='curl -sSfL "$URL" | aws s3 cp - "s3://$BUCKET/$KEY" --expected-size "$SIZE" '
         '--endpoint-url "$S3_ENDPOINT_URL" --only-show-errors'),
    Tool("curl \\| curl", "no", each='curl -sSfL "$URL" | curl -sSf -T - -H "Content-Length: $SIZE" -H Transfer-Encoding: '
         '-H Expect: "$PUT"'),
]
PIPE = TOOLS[-1].name


# --- measuring --------------------------------------------------------------------------------------------------


class Memory(threading.Thread):
    """The highest sum of PSS over a process and all below it."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.over = pid, 0, threading.Event()

    def tree(self):
        found, queue = [], [self.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                        queue += map(int, file.read().split())
            except OSError:
                pass
        return found

    def run(self):
        while not self.over.wait(0.05):
            total = 0
            for pid in self.tree():
                try:
                    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                        total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
                except (OSError, ValueError):
                    pass
            self.peak = max(self.peak, total * 1024)


def measure(command, environment):
    """(wall seconds, CPU seconds, peak bytes, bytes written) of a shell command; SystemExit when it fails."""
    begun = time.monotonic()
    process = subprocess.Popen(["bash", "-c", command], env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
    memory = Memory(process.pid)
    memory.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    memory.over.set()
    memory.join()
    if process.returncode != 0:
        sys.exit(f"bench: exit {process.returncode}: {command}")
    return wall, usage.ru_utime + usage.ru_stime, memory.peak, usage.ru_oublock * 512


def run_tool(tool, model, store, hub, folder, arguments):
    prefix = f"{model['id'].replace('/', '-')}/"
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8", "NO_PROXY": "*", **store.environment,
        "HFPOUR": arguments.binary, "MODEL": model["id"], "PREFIX": prefix, "HF_ENDPOINT": hub,
        "AWS_EC2_METADATA_DISABLED": "true", "RCLONE_CONFIG": "", "RCLONE_CONFIG_S3_TYPE": "s3",
        "RCLONE_CONFIG_S3_PROVIDER": "Ceph", "RCLONE_CONFIG_S3_ENV_AUTH": "true",
        "RCLONE_CONFIG_S3_ENDPOINT": store.environment["S3_ENDPOINT_URL"]}
    command = tool.command(model, store, prefix, arguments.parallel, hub, folder)
    numbers = measure(command, environment)
    there = sorted(size for key, size in store.sizes().items() if "/.hfpour/" not in key)
    if there != sorted(model["files"].values()):
        sys.exit(f"bench: {tool.name} left other sizes than the model has: {there}")
    store.clear()
    return numbers


def table(model, store, hub, folder, arguments):
    """Rows of a Markdown table. The tools take turns, and each round begins with another one."""
    rounds = {tool.name: [] for tool in TOOLS}
    for number in range(arguments.rounds):
        for tool in TOOLS[number % len(TOOLS):] + TOOLS[:number % len(TOOLS)]:
            rounds[tool.name].append(run_tool(tool, model, store, hub, folder, arguments))
            wall, cpu, peak, written = rounds[tool.name][-1]
            say(f"{store.name}, {len(model['files'])} files, round {number + 1}: {tool.plain()}: {wall:.2f} s, CPU {cpu:.2f} s,"
                f" peak {peak / MIB:.0f} MiB, written {written}, load {os.getloadavg()[0]:.1f}")
    mib = sum(model["files"].values()) / MIB
    yield "| tool | wall time | speed | time, pipe = 1 | CPU s per GiB | peak memory | written to disk | checked against the Hub's hash |"
    yield "|---|---|---|---|---|---|---|---|"
    for tool in TOOLS:
        walls, cpus, peaks, disks = zip(*rounds[tool.name])
        ratios = [mine[0] / pipe[0] for mine, pipe in zip(rounds[tool.name], rounds[PIPE])]
        wall = statistics.median(walls)
        yield (f"| `{tool.name}` | {wall:.2f} s ({min(walls):.2f}–{max(walls):.2f}) | {mib / wall:.0f} MiB/s "
               f"| {statistics.median(ratios):.2f} | {statistics.median(cpus) / mib * 1024:.2f} "
               f"| {max(peaks) / MIB:.0f} MiB | {max(disks) / MIB:.1f} MiB | {tool.verified} |")


# --- what was measured ------------------------------------------------------------------------------------------


def version(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n", 1)[0].strip()
    except OSError:
        return "?"


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), model)
    return f"{os.cpu_count()} cores ({model}), Linux {os.uname().release.split('-')[0]}"


def shown(tool):
    return (tool.each or tool.whole).replace("$HFPOUR", "hfpour").replace('"hfpour"', "hfpour")


def models(mib):
    size = mib * MIB // FILES
    return [{"id": f"bench/many-{mib}", "title": f"{FILES} files of {size / MIB:g} MiB",
             "files": {f"model-{i:05d}-of-{FILES:05d}.safetensors": size for i in range(FILES)}},
            {"id": f"bench/one-{mib}", "title": f"one file of {mib} MiB", "files": {"model.safetensors": mib * MIB}}]


def virtual(every):
    return {"models": {model["id"]: {"files": [{"path": path, "size": size, "seed": seed}
                                               for seed, (path, size) in enumerate(model["files"].items())]}
                       for model in every}}


def start_ceph(folder):
    answer = subprocess.run([ROOT / "scripts/lib/ceph-rgw", "up", folder / "rgw"], check=True, stdout=subprocess.PIPE,
                            text=True, env={**os.environ, "CEPH_STORE_GB": "16"})
    facts = dict(word.split("=", 1) for word in shlex.split(answer.stdout))
    return Store("Ceph RGW", facts["S3_ENDPOINT_URL"], facts["AWS_ACCESS_KEY_ID"], facts["AWS_SECRET_ACCESS_KEY"],
                 facts["S3_BUCKET"])


def bench(folder, arguments):
    sizes = [arguments.mib] + ([arguments.ceph_mib] if arguments.ceph_mib else [])
    every = {mib: models(mib) for mib in sizes}
    spec = folder / "virtual.json"
    spec.write_text(json.dumps(virtual([model for group in every.values() for model in group])), encoding="utf-8")
    (folder / "hub").mkdir()
    say("the stand-in Hub hashes what it will serve")
    hub = Server("hub.py", "--root", folder / "hub", "--virtual", spec, "--prepare")
    load = os.getloadavg()[0]
    say(f"load before the start: {load:.2f}")
    sections = []
    try:
        standin = Server("s3.py", "--bucket", "bench", "--access-key", KEY, "--secret-key", SECRET, "--keep", "none")
        try:
            store = Store("stand-in store", standin.ready["endpoint"], KEY, SECRET, "bench")
            for model in every[arguments.mib]:
                rows = list(table(model, store, hub.ready["hub"], folder, arguments))
                sections.append((f"{model['title']}, into the stand-in store, which hashes and forgets", rows))
        finally:
            standin.stop()
        if arguments.ceph_mib:
            store = start_ceph(folder)
            try:
                for model in every[arguments.ceph_mib]:
                    rows = list(table(model, store, hub.ready["hub"], folder, arguments))
                    sections.append((f"{model['title']}, into {version('radosgw', '--version').split(' (')[0]}, in memory", rows))
            finally:
                subprocess.run([ROOT / "scripts/lib/ceph-rgw", "down", folder / "rgw"], check=False)
    finally:
        hub.stop()
    return load, sections


def report(load, sections, arguments):
    today = datetime.date.today().isoformat()
    print(f"Measured by `scripts/bench` on {today}: {machine()}, Debian's packages; the Hub, the store and the tool share these "
          f"cores over loopback (load before the start {load:.1f}). Median of {arguments.rounds} rounds, in which the "
          "tools took turns; in brackets the fastest and the slowest. \"Pipe = 1\": time relative to `curl | curl` of the same "
          "round. CPU: user and system, the tool's process tree. Memory: the highest sum of PSS of the tree, sampled every 50 ms. "
          "Written: ru_oublock of the tree.")
    for title, rows in sections:
        print(f"\n{title}:\n")
        print("\n".join(rows))
    print(f"\nFor each tool but hfpour, `xargs -P {arguments.parallel}` over the files. The exact commands:\n\n```sh")
    for tool in TOOLS:
        print(shown(tool))
    print("```\n")
    print(f"Versions: {version(arguments.binary, '--version')}; {version('/usr/bin/rclone', '--version')} (provider Ceph, "
          f"credentials from the environment); {version('/usr/bin/aws', '--version').split(' Linux')[0]}; "
          f"{version('/usr/bin/curl', '--version').split(' (')[0]}. `$PUT` is a presigned PUT of the object: the bare pipe, "
          "without a check of anything.")


def main():
    parser = argparse.ArgumentParser(description="The measuring part of scripts/bench.")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--ceph-mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parallel", type=int, default=4)
    arguments = parser.parse_args()
    if min(arguments.mib, arguments.rounds, arguments.parallel) < 1 or arguments.mib > 5 * 1024 or arguments.ceph_mib > 5 * 1024:
        parser.error("sizes are 1 to 5120 MiB (a plain PUT takes no more), rounds and parallel at least 1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hfpour-bench-"))
    try:
        report(*bench(folder, arguments), arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
