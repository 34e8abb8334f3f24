"""What every manifest must say, and that a copy with any of it spoilt is refused: rules of ours. Needs no image.

The judges that are not ours are in test_api.py.
"""

import copy
import re

import pytest
import yaml
from machine import TREE, run

FOLDER = TREE / "container" / "kubernetes"
WORKLOADS = ("pod.yaml", "job.yaml", "cronjob.yaml", "kserve.yaml")
FINAL = [1, 2, 3, 4, 6, 7, 8]


def load(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def job_spec(document):
    return {"Job": lambda d: d["spec"], "CronJob": lambda d: d["spec"]["jobTemplate"]["spec"]}.get(
        document["kind"], lambda d: None)(document)


def pod_spec(document):
    job = job_spec(document)
    if job:
        return job["template"]["spec"]
    return document["spec"] if document["kind"] == "Pod" else None


def containers(document):
    spec = pod_spec(document)
    return spec.get("initContainers", []) + spec["containers"] if spec else [document["spec"]["container"]]


def faults(document):
    """What is wrong with a workload, in words; nothing when it is as it must be."""
    found = []
    spec, job = pod_spec(document), job_spec(document)
    if spec and (spec.get("automountServiceAccountToken") is not False or spec.get("volumes")):
        found.append("a token or a volume is mounted")
    for container in containers(document):
        security = container.get("securityContext", {})
        wanted = {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "readOnlyRootFilesystem": True,
                  "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
                  "seccompProfile": {"type": "RuntimeDefault"}}
        found += [f"securityContext.{name}" for name in wanted if security.get(name) != wanted[name]]
        found += ["securityContext." + name for name in security if name not in wanted]
        resources = container.get("resources", {})
        if resources.get("limits") != {"memory": "256Mi", "ephemeral-storage": "16Mi"}:
            found.append("limits")
        if resources.get("requests", {}).get("memory") != "256Mi":
            found.append("requests")
        if container.get("volumeMounts"):
            found.append("volumeMounts")
        if not re.search(r":v?\d+\.\d+\.\d+$", container["image"]):
            found.append("image")
        found += ["a secret in clear: " + entry["name"] for entry in container["env"]
                  if "value" in entry and re.search("KEY|TOKEN|SECRET", entry["name"])]
    if job:
        rules = job.get("podFailurePolicy", {}).get("rules", [])
        if [rule["action"] for rule in rules] != ["FailJob", "Ignore"]:
            return found + ["podFailurePolicy"]
        exits = rules[0]["onExitCodes"]
        if (exits["operator"], exits["values"]) != ("In", FINAL) or exits["containerName"] != containers(document)[0]["name"]:
            found.append("FailJob")
        if rules[1]["onPodConditions"] != [{"type": "DisruptionTarget", "status": "True"}] or spec["restartPolicy"] != "Never":
            found.append("Ignore")
    return found


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_is_confined(name):
    for document in load(name):
        assert faults(document) == []


def spoilt(document):
    """Copies of it, each with one thing wrong."""
    for number, container in enumerate(containers(document)):
        for section in ("securityContext", "resources"):
            for key in container[section]:
                bad = copy.deepcopy(document)
                del containers(bad)[number][section][key]
                yield f"{container['name']} {section}.{key}", bad
        bad = copy.deepcopy(document)
        containers(bad)[number]["image"] = "ghcr.io/example/hfpour:latest"
        yield f"{container['name']} image", bad
    if pod_spec(document):
        bad = copy.deepcopy(document)
        pod_spec(bad)["volumes"] = [{"name": "scratch", "emptyDir": {}}]
        yield "volume", bad
    if job_spec(document):
        bad = copy.deepcopy(document)
        job_spec(bad)["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] = [2, 3, 4, 5, 6, 7, 8]
        yield "a status that is worth another Pod", bad
        bad = copy.deepcopy(document)
        del job_spec(bad)["podFailurePolicy"]["rules"][1]
        yield "disruptions", bad


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_spoilt_copy_is_refused(name):
    copies = [pair for document in load(name) for pair in spoilt(document)]
    assert len(copies) >= 10
    assert [what for what, bad in copies if not faults(bad)] == []


def test_the_final_statuses_are_those_of_the_program():
    header = (TREE / "src/cli/exit_status.h").read_text(encoding="utf-8")
    entries = re.findall(r"(\w+) = (\d+),\s+///< (.*)", header)
    final = [int(number) for name, number, text in entries
             if not re.search("worth another run|checkpoint saved", text) and name not in ("done", "reader_left")]
    assert final == FINAL, entries


def test_the_kustomization_names_what_is_there():
    [document] = load("kustomization.yaml")
    assert set(document["resources"]) == {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml", "kserve.yaml"}
    ours = {c["image"].split(":")[0] for name in WORKLOADS for d in load(name) for c in containers(d)}
    assert {image["name"] for image in document["images"]} <= ours


def test_every_secret_and_setting_that_is_used_is_in_the_templates():
    secrets = {document["metadata"]["name"]: set(document["stringData"]) for document in load("secrets.yaml")}
    for name in WORKLOADS:
        for container in [c for d in load(name) for c in containers(d)]:
            assert container["envFrom"] == [{"configMapRef": {"name": load("settings.yaml")[0]["metadata"]["name"]}}]
            for entry in container["env"]:
                reference = entry.get("valueFrom", {}).get("secretKeyRef")
                assert not reference or reference["key"] in secrets[reference["name"]], (name, entry)


def test_yaml_and_shell_of_the_workflows(tmp_path):
    rules = "{extends: default, rules: {line-length: {max: 130}, document-start: disable, comments: disable}}"
    run("yamllint", "--strict", "-d", rules, FOLDER, TREE / ".github")
    steps = [step["run"] for path in sorted((TREE / ".github/workflows").glob("*.yml"))
             for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
             for step in job.get("steps", []) if "run" in step]
    assert len(steps) >= 4
    for number, text in enumerate(steps):
        script = tmp_path / f"{number}.sh"
        script.write_text("#!/usr/bin/env bash\n# shellcheck disable=SC2154\n" + text, encoding="utf-8")
        run("shellcheck", script)
