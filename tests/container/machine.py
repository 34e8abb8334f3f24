"""The engine of this lane: podman and buildah in a storage of their own, and the kernel's account of memory."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
LOCAL_IMAGE = TREE / "scripts" / "lib" / "local-image"
MIB = 1 << 20
# How a container is confined in a Pod of container/kubernetes, said in podman's words. A plain --read-only would lay
# writable tmpfs over /tmp, /run and /var/tmp, and /dev/shm stays writable unless there is no IPC namespace of its own.
CONFINED = ("--read-only", "--read-only-tmpfs=false", "--ipc", "none", "--cap-drop", "all", "--security-opt",
            "no-new-privileges", "--pids-limit", "64", "--network", "host")


def run(*command, check=True, env=None, text=None, timeout=1800, cwd=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, input=text, cwd=cwd,
                          env={**os.environ, **(env or {})}, timeout=timeout)
    if check and done.returncode != 0:
        raise AssertionError(f"{command[:4]} ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done


class Machine:
    """Images and containers in a folder that goes away afterwards, unless CONTAINER_STATE names one to keep them all."""

    def __init__(self, name="main"):
        self.kept = os.environ.get("CONTAINER_STATE", "")
        self.state = pathlib.Path(self.kept, name) if self.kept else pathlib.Path(
            tempfile.mkdtemp(prefix="hfpour-container-", dir="/var/tmp"))
        self.native = run("dpkg", "--print-architecture").stdout.strip()

    def __enter__(self):
        try:
            if not (self.state / "env").exists():
                run(LOCAL_IMAGE, "open", self.state)
            self.env = dict(re.findall(r"export (\w+)=(.*)", (self.state / "env").read_text(encoding="utf-8")))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        if self.kept:
            return
        run(LOCAL_IMAGE, "close", self.state, check=False)
        shutil.rmtree(self.state, ignore_errors=True)

    def podman(self, *arguments, **options):
        """In the state folder: conmon leaves a file `oom` where it was started."""
        return run("podman", *arguments, env=self.env, cwd=self.state, **options)

    def buildah(self, *arguments, **options):
        return run("buildah", *arguments, env=self.env, **options)

    def build(self, arch, tag, *arguments, tree=TREE, builder="buildah"):
        """Builds localhost/hfpour:TAG; gives what the builder printed, with its words on each step."""
        return run(LOCAL_IMAGE, "build", self.state, arch, tag, *arguments, env={"TREE": str(tree), "BUILDER": builder}).stdout

    def inspect(self, image):
        return json.loads(self.podman("image", "inspect", image).stdout)[0]

    def unpack(self, image, folder):
        """The image's files below `folder`."""
        folder.mkdir(parents=True)
        archive = folder.parent / (folder.name + ".tar")
        container = self.podman("create", image).stdout.strip()
        try:
            self.podman("export", "--output", archive, container)
        finally:
            self.podman("rm", container)
        run("tar", "-x", "-C", folder, "-f", archive)
        archive.unlink()
        return folder


class Account:
    """A cgroup above a container's own, which is gone with it: what was used at most, and what sockets held of it.

    In version 1, TCP buffers are counted apart, and only once they have a limit; in version 2 they are in the peak.
    """

    def __init__(self, name):
        self.v2 = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
        self.name = f"/hfpour-{os.getpid()}-{name}"
        self.folder = pathlib.Path(("/sys/fs/cgroup" if self.v2 else "/sys/fs/cgroup/memory") + self.name)

    def __enter__(self):
        self.folder.mkdir()
        if self.v2:
            assert "memory" in (self.folder / "cgroup.controllers").read_text(), "no memory controller is delegated"
        return self

    def count_tcp(self):
        """To be called when the container's own cgroup is there and its program has not begun."""
        own = [] if self.v2 else list(self.folder.glob("**/memory.kmem.tcp.limit_in_bytes"))
        assert self.v2 or len(own) > 1, "the container has no cgroup yet"
        for path in own:
            path.write_text(str(1 << 30))

    def peak(self):
        """(memory, TCP buffers) in bytes, each at its highest."""
        if self.v2:
            return int((self.folder / "memory.peak").read_text()), 0
        return tuple(int((self.folder / name).read_text())
                     for name in ("memory.max_usage_in_bytes", "memory.kmem.tcp.max_usage_in_bytes"))

    def __exit__(self, *unused):
        """The container's own folders are under it, in every controller's tree; conmon leaves them a moment late."""
        roots = [self.folder.parent] if self.v2 else list(pathlib.Path("/sys/fs/cgroup").iterdir())
        tops = [root / self.name.strip("/") for root in roots if (root / self.name.strip("/")).is_dir()]
        end = time.monotonic() + 20
        while tops:
            for top in tops:
                for folder in sorted((path for path in [top, *top.rglob("*")] if path.is_dir()), reverse=True):
                    try:
                        folder.rmdir()
                    except OSError:
                        assert time.monotonic() < end, f"{folder} is still in use"
            tops = [top for top in tops if top.is_dir()]
