"""The image: what is in it, what is not, and that it is built as its file says."""

import os
import re
import shutil
import stat
import subprocess

import pytest
from conftest import MOST_BYTES
from machine import TREE, run

LABELS = {"title": "hfpour", "version": "1.2.3", "revision": "abc", "source": "https://example.org/hfpour",
          "created": "2026-01-02T03:04:05Z", "licenses": "MIT", "base.name": "localhost/debian:bookworm-slim"}
TINY = "#include <curl/curl.h>\nint main(int n, char**) { return n > 9 ? curl_global_init(0) : 0; }\n"


@pytest.fixture(scope="module")
def rootfs(machine, image, tmp_path_factory):
    return machine.unpack(image, tmp_path_factory.mktemp("image") / "root")


def files(root):
    return {"/" + str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file() and not path.is_symlink()}


def test_configuration(machine, image):
    facts = machine.inspect(image)
    config = facts["Config"]
    assert config["User"] == "1000:1000"
    assert config["Entrypoint"] == ["/usr/bin/hfpour"] and not config.get("Cmd")
    assert not config.get("Volumes") and not config.get("ExposedPorts")
    assert {name: config["Labels"]["org.opencontainers.image." + name] for name in LABELS} == LABELS
    assert config["Labels"]["org.opencontainers.image.description"]
    assert len(facts["RootFS"]["Layers"]) == 1
    assert facts["Size"] <= MOST_BYTES, facts["Size"]
    assert not re.search(r"(TOKEN|SECRET|KEY|PASSWORD)=", " ".join(config.get("Env") or []))


def test_there_is_the_program_and_what_it_loads_and_nothing_to_run_besides(rootfs):
    there = files(rootfs)
    programs = [name for name, path in there.items() if path.stat().st_mode & 0o111 and not re.search(r"\.so(\.|$)", name)]
    assert programs == ["/usr/bin/hfpour"]
    assert not re.findall(r"(?m)^.*/(?:sh|bash|dash|busybox|apt|apt-get|dpkg|perl|python3)$", "\n".join(there))
    for path in rootfs.rglob("*"):
        mode = path.lstat().st_mode
        assert not mode & (stat.S_ISUID | stat.S_ISGID), path
        assert stat.S_ISLNK(mode) or not mode & stat.S_IWOTH, path
    needed = run("readelf", "-d", rootfs / "usr/bin/hfpour").stdout
    assert "libcurl.so.4" in needed and not re.search(r"libstdc|libfmt|libspdlog|libpugixml", needed)
    if os.uname().machine == "x86_64":
        assert "XXH3_128bits_update_dispatch" in run("readelf", "--dyn-syms", "-W", rootfs / "usr/bin/hfpour").stdout, "no AVX for XXH3"
    assert "BIND_NOW" in needed and "RELRO" in run("readelf", "-lW", rootfs / "usr/bin/hfpour").stdout
    assert ".debug_info" not in run("readelf", "-SW", rootfs / "usr/bin/hfpour").stdout


def test_it_starts_as_an_unknown_user_too(machine, image):
    """OpenShift picks a user id of its own."""
    for user in ("1000:1000", "1000770000:0"):
        done = machine.podman("run", "--rm", "--network", "none", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all",
                              "--user", user, image, "--version")
        assert re.fullmatch(r"hfpour \d+\.\d+\.\d+\n", done.stdout), done.stdout


def test_accounts_certificates_and_name_service(rootfs):
    assert "hfpour:x:1000:1000:" in (rootfs / "etc/passwd").read_text()
    assert "hfpour:x:1000:" in (rootfs / "etc/group").read_text()
    assert (rootfs / "etc/nsswitch.conf").read_text() == "hosts: files dns\n"
    assert (rootfs / "etc/ssl/certs/ca-certificates.crt").read_text().count("BEGIN CERTIFICATE") > 100
    assert "bookworm" in (rootfs / "etc/os-release").read_text()


def test_scanners_and_lawyers_find_every_package(rootfs):
    """A package for each library there is, one for each that is inside the program, a licence for each package."""
    packages = {path.name: path.read_text() for path in (rootfs / "var/lib/dpkg/status.d").iterdir()}
    assert len(packages) > 25, sorted(packages)
    for name in ("libc6", "libcurl4", "libssl3", "ca-certificates", "libgcc-s1", "libstdc++6", "libfmt-dev", "libspdlog-dev",
                 "libpugixml-dev", "libxxhash0", "nlohmann-json3-dev", "libcli11-dev"):
        assert re.search(r"(?m)^Version: \S+$", packages[name]) and f"Package: {name}\n" in packages[name]
    for name in packages:
        assert (rootfs / "usr/share/doc" / name / "copyright").stat().st_size > 100, name
    assert "MIT" in (rootfs / "usr/share/doc/hfpour/copyright").read_text()
    owners = {run("dpkg", "-S", name, check=False).stdout.split(":")[0] for name in map(os.path.realpath, libraries(rootfs))}
    assert owners - {""} <= set(packages), owners - set(packages)


def libraries(rootfs):
    return [name for name in files(rootfs) if re.search(r"\.so(\.|$)", name)]


@pytest.fixture(scope="session")
def again(builds):
    """What podman said when it built the image a second time, and which one it made."""
    engine, said = builds["again"]
    return said.result(), engine.inspect("localhost/hfpour:again")["Id"]


def test_two_clean_builds_give_one_image(machine, image, again):
    """Nothing of the time, the place or the order of a build is in it, nor whether buildah or podman built it."""
    said, made = again
    assert "Linking target src/hfpour" in said and "Using cache" not in said, said[-3000:]
    assert made == machine.inspect(image)["Id"]


@pytest.fixture
def other_sources(tmp_path):
    """The same tree, with a program of one line."""
    for name in ("container", "LICENSE", "meson.build", "meson_options.txt", ".dockerignore"):
        source = TREE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    (tmp_path / "scripts/lib").mkdir(parents=True)
    shutil.copy(TREE / "scripts/lib/build.sh", tmp_path / "scripts/lib")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.cc").write_text(TINY)
    (tmp_path / "src/meson.build").write_text(
        "executable('hfpour', 'main.cc', dependencies: [libcurl, libcrypto, xxhash], install: true)\n")
    return tmp_path


def test_edited_sources_install_no_package_again(machine, image, other_sources):
    said = machine.build(machine.native, "edited", "--target", "build", tree=other_sources)
    deps, build = said.split("AS build")[0], said.split("AS build")[1]
    assert re.search(r"RUN /hfpour/stage deps[^\n]*\n--> Using cache", deps), said[-3000:]
    assert "COPY src" in build and "Linking target src/hfpour" in build
    machine.podman("rmi", "localhost/hfpour:edited")


def test_nothing_but_what_the_build_needs_is_in_the_context():
    """A secret that lies about in the checkout must not get into a layer."""
    lines = (TREE / ".dockerignore").read_text().split()
    assert lines[0] == "*" and all(line.startswith("!") for line in lines[1:])
    assert all((TREE / line[1:]).exists() for line in lines[1:])


def test_no_other_container_file_is_read_first():
    assert not (TREE / ".containerignore").exists() and not (TREE / "Dockerfile").exists()
    assert subprocess.run(["shellcheck", "-x", TREE / "container/stage", TREE / "scripts/lib/local-image"], check=False).returncode == 0
