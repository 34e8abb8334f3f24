"""The manifests of container/kubernetes as they are shipped, run by `podman kube play`.

The test's copies differ in names of images, in the settings of the ConfigMap and in four things podman 4.3 does
otherwise than a kubelet: it wants its Secrets as JSON, drops an init container with its log unless told to keep it, shows no
exit status of one that it starts again, and knows no termination message, so the file that a kubelet lays at
/dev/termination-log is mounted here.
"""

import base64
import json
import re

import pytest
import yaml
from conftest import GATED, GATED_TOKEN
from machine import TREE

MANIFESTS = TREE / "container" / "kubernetes"
CONSUMER = "localhost/consumer:ci"
DEMO = "demo/tiny-ocr"


def documents(name):
    return list(yaml.safe_load_all((MANIFESTS / name).read_text(encoding="utf-8")))


def pod_of(document, name):
    """The Pod itself; a Job's or CronJob's template as the Job controller would make a Pod of it."""
    if document["kind"] == "Pod":
        return document
    spec = document["spec"] if document["kind"] == "Job" else document["spec"]["jobTemplate"]["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "spec": spec["template"]["spec"],
            "metadata": {**spec["template"]["metadata"], "name": name}}


class Cluster:
    """As much of a node as these Pods need."""

    def __init__(self, machine, image, folder, settings):
        self.machine, self.image, self.folder, self.settings = machine, image, folder, settings
        self.message = folder / "termination-log"
        self.message.touch()
        self.message.chmod(0o666)  # as a kubelet leaves it
        self.made = []

    def secret(self, name, **values):
        data = json.dumps({key: base64.b64encode(value.encode()).decode() for key, value in values.items()})
        self.machine.podman("secret", "create", name, "-", text=data)
        self.made.append(name)

    def play(self, manifest, **environment):
        """Plays it until the Pod has ended; gives podman's exit status and what it said."""
        config = documents("settings.yaml")[0]
        config["data"].update({name: self.settings[name] for name in ("S3_BUCKET", "S3_ENDPOINT_URL")})
        pod = pod_of(documents(manifest)[0], "played")
        pod["metadata"]["name"] = "played"
        pod["metadata"]["annotations"] = {"io.podman.annotations.init.container.type": "always"}
        spec = pod["spec"]
        spec["restartPolicy"] = "Never"
        spec["volumes"] = [{"name": "last-words", "hostPath": {"path": str(self.message), "type": "File"}}]
        for container in spec.get("initContainers", []) + spec["containers"]:
            ours = container["image"].startswith("ghcr.io/example/hfpour:")
            container["image"] = self.image if ours else CONSUMER
            values = {entry["name"]: entry for entry in container["env"]}
            for name, value in {"HF_ENDPOINT": self.settings["HF_ENDPOINT"], **environment}.items():
                values[name] = {"name": name, "value": value}
            container["env"] = list(values.values())
            if ours:
                container["volumeMounts"] = [{"name": "last-words", "mountPath": "/dev/termination-log"}]
        copy = self.folder / "copy.yaml"
        copy.write_text(yaml.safe_dump_all([config, pod]), encoding="utf-8")
        done = self.machine.podman("kube", "play", "--network", "host", copy, check=False)
        return done.returncode, done.stdout + done.stderr

    def wait(self, container):
        return int(self.machine.podman("wait", "played-" + container, timeout=300).stdout)

    def log(self, container):
        done = self.machine.podman("logs", "played-" + container, check=False)
        return done.stdout, done.stderr

    def state(self, container):
        return json.loads(self.machine.podman("inspect", "played-" + container).stdout)[0]

    def end(self):
        self.machine.podman("pod", "rm", "--all", "--force", "--time", "0", check=False)
        for name in self.made:
            self.machine.podman("secret", "rm", name, check=False)


@pytest.fixture(scope="session")
def consumer(machine, image):  # the image's build has made the base
    """A small image with curl, in the place of the one that is pulled."""
    made = machine.buildah("from", "localhost/debian:bookworm-slim").stdout.strip()
    machine.buildah("run", "--network", "host", made, "--", "sh", "-ec",
                    "apt-get -qq update; apt-get -qq install -y --no-install-recommends curl ca-certificates >/dev/null 2>&1")
    machine.buildah("commit", "--quiet", "--rm", made, CONSUMER)
    return CONSUMER


@pytest.fixture
def cluster(machine, image, consumer, settings, tmp_path):
    made = Cluster(machine, image, tmp_path, settings)
    yield made
    made.end()


@pytest.fixture
def keys(cluster, gateway):
    cluster.secret("s3-credentials", **{"access-key-id": gateway.credentials["AWS_ACCESS_KEY_ID"],
                                        "secret-access-key": gateway.credentials["AWS_SECRET_ACCESS_KEY"]})


def confinement(state):
    config = state["HostConfig"]
    return (state["Config"]["User"], config["Memory"], config["ReadonlyRootfs"], state["EffectiveCaps"] or [],
            "no-new-privileges" in config["SecurityOpt"])


CONFINED = ("1000:1000", 256 << 20, True, [], True)


def test_the_init_container_pours_and_the_main_one_reads(cluster, keys, bucket, hub):
    cluster.secret("hf-token", token=GATED_TOKEN)
    status, said = cluster.play("pod.yaml", MODEL_NAME=GATED)
    assert status == 0, said
    assert cluster.wait("inference") == 0, cluster.log("inference")
    assert cluster.log("inference")[0] == '{"gated": true}\n'
    init = cluster.state("cache-model")
    assert init["State"]["ExitCode"] == 0
    assert confinement(init) == confinement(cluster.state("inference")) == CONFINED
    assert set(bucket.list(f"models/{GATED}/")) == {
        f"models/{GATED}/{name}" for name in ("w.safetensors", "config.json", ".hfpour/manifest.json")}
    assert GATED_TOKEN not in "".join(cluster.log("cache-model"))


def test_the_termination_message_of_a_success(cluster, keys, bucket, hub):
    status, said = cluster.play("pod.yaml", MODEL_NAME=DEMO)
    assert status == 0, said
    last = json.loads(cluster.message.read_text())
    assert (last["code"], last["commit"], last["retryable"]) == (0, hub.commit(DEMO), False), last


def test_with_a_wrong_token_the_main_container_never_starts(cluster, keys, bucket):
    cluster.secret("hf-token", token="hf_user")
    status, said = cluster.play("pod.yaml", MODEL_NAME=GATED)
    assert status != 0, said
    assert cluster.state("cache-model")["State"]["ExitCode"] == 6, cluster.log("cache-model")
    main = cluster.state("inference")["State"]
    assert main["Status"] in ("created", "initialized") and main["Pid"] == 0 and main["StartedAt"].startswith("0001-"), main
    assert bucket.list(f"models/{GATED}/") == {}


def test_the_termination_message_says_why(cluster, keys, bucket):
    cluster.secret("hf-token", token="hf_user")
    cluster.play("pod.yaml", MODEL_NAME=GATED)
    text = cluster.message.read_text()
    last = json.loads(text)
    assert len(text.encode()) <= 4096 and "hf_user" not in text
    assert set(last) >= {"code", "reason", "file", "commit", "retryable", "hint"}
    assert (last["code"], last["retryable"]) == (6, False), last
    assert re.search("gated|terms|HF_TOKEN", text) and last["hint"], last


@pytest.mark.parametrize("manifest", ["job.yaml", "cronjob.yaml"])
def test_a_jobs_pod_fills_the_bucket(cluster, keys, bucket, hub, manifest):
    status, said = cluster.play(manifest, MODEL_NAME=DEMO)
    assert status == 0, said
    assert cluster.wait("pour") == 0, cluster.log("pour")
    assert confinement(cluster.state("pour")) == CONFINED
    listed = bucket.list(f"models/{DEMO}/")
    for path, entry in hub.files(DEMO).items():
        assert listed[f"models/{DEMO}/{path}"]["Size"] == entry["size"], path
    assert cluster.log("pour")[0] == f"s3://{bucket.name}/models/{DEMO}/\n"


@pytest.mark.parametrize("environment, token, final", [
    ({"MODEL_NAME": "no/such/name"}, None, 2), ({"MODEL_NAME": "me/nothing"}, None, 3), ({"ALLOW_PATTERNS": "*.gguf"}, None, 4),
    ({"MODEL_NAME": GATED}, None, 6), ({"MODEL_NAME": GATED}, "hf_user", 6)])
def test_a_jobs_pod_fails_with_what_its_policy_knows(cluster, keys, bucket, environment, token, final):
    """And its last words say the same, and what to do."""
    if token:
        cluster.secret("hf-token", token=token)
    cluster.play("job.yaml", **{"MODEL_NAME": DEMO, **environment})
    assert cluster.wait("pour") == final, cluster.log("pour")
    rule = documents("job.yaml")[0]["spec"]["podFailurePolicy"]["rules"][0]
    assert rule["action"] == "FailJob" and final in rule["onExitCodes"]["values"]
    text = cluster.message.read_text()
    last = json.loads(text)
    assert (last["code"], last["retryable"]) == (final, False), last
    assert last["reason"] and last["hint"], last
    assert len(text.encode()) <= 4096 and "hf_user" not in text


def test_kserves_arguments(machine, image, bucket, hub, settings):
    """KServe starts a storage container with the URI and /mnt/models."""
    container = documents("kserve.yaml")[0]["spec"]["container"]
    assert container["name"] == "storage-initializer" and "args" not in container and "command" not in container
    words = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
    done = machine.podman("run", "--rm", "--network", "host", "--read-only", "--read-only-tmpfs=false", *words, image,
                          f"hf://{DEMO}", "/mnt/models", check=False)
    assert done.returncode == 0, done.stderr
    assert bucket.manifest(f"models/{DEMO}/")["complete"] is True
