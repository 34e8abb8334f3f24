"""The image by Docker's own builder: an engine of this test's, with nothing but a folder and a socket. Debian: docker.io."""

import json
import re
import subprocess
import time

import pytest
from conftest import MOST_BYTES
from machine import LOCAL_IMAGE, TREE, run

DOCKER = "/usr/bin/docker"  # Debian's; another one in the PATH may lack BuildKit
BASE = "localhost/debian:bookworm-slim"


class Engine:
    def __init__(self, folder):
        self.place = f"unix://{folder}/socket"
        self.log = open(folder / "log", "wb")  # noqa: SIM115 (closed in `end`)
        self.process = subprocess.Popen(
            ["/usr/sbin/dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid",
             "--host", self.place, "--iptables=false", "--ip6tables=false", "--bridge=none"], stdout=self.log, stderr=self.log)

    def docker(self, *arguments, **options):
        return run(DOCKER, "--host", self.place, *arguments, env={"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}, **options)

    def wait(self):
        end = time.monotonic() + 60
        while self.docker("version", check=False).returncode != 0:
            assert self.process.poll() is None and time.monotonic() < end, "the engine did not start"

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.log.close()


@pytest.fixture
def engine(machine, tmp_path):
    made = Engine(tmp_path)
    try:
        made.wait()
        archive = run(LOCAL_IMAGE, "base", machine.state).stdout.strip()
        made.docker("import", archive, BASE)
        yield made
    finally:
        made.end()


def test_buildkit_builds_it_as_its_file_says(engine, machine):
    """And runs it; a second time nothing is built again."""
    build = ("build", "--network", "host", "--build-arg", f"BASE_IMAGE={BASE}", "--build-arg", "VERSION=1.2.3", "--tag", "hfpour",
             "--file", TREE / "container/Dockerfile", TREE)
    said = engine.docker(*build)
    assert "Linking target src/hfpour" in said.stdout + said.stderr
    facts = json.loads(engine.docker("image", "inspect", "hfpour").stdout)[0]
    config = facts["Config"]
    assert (facts["Os"], facts["Architecture"]) == ("linux", machine.native)
    assert (config["User"], config["Entrypoint"], config["Cmd"], config["Volumes"]) == ("1000:1000", ["/usr/bin/hfpour"], None, None)
    assert config["Labels"]["org.opencontainers.image.version"] == "1.2.3" and len(facts["RootFS"]["Layers"]) == 1
    assert facts["Size"] <= MOST_BYTES, facts["Size"]
    assert re.fullmatch(r"hfpour \d+\.\d+\.\d+\n", engine.docker("run", "--rm", "--network", "none", "hfpour", "--version").stdout)
    said = engine.docker(*build)
    assert "Compiling" not in said.stdout + said.stderr and "CACHED" in said.stdout + said.stderr
