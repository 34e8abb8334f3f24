"""What changed since the last pour, at the Hub or behind our back in the bucket, and only that, is poured again."""

import json

from lane import MIB, assert_holds, hub_hash

REPO = "changing/model"


def write(hub, content):
    for path, data in content.items():
        file = hub.root / "models" / REPO / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def noise(seed, size):
    return bytes((seed + i * 7 + (i >> 8)) & 0xFF for i in range(4096)) * (size // 4096)


def resolved(hub):
    """The files whose address was asked for since the last reset."""
    return {path.removeprefix(f"models/{REPO}/") for path in hub.counters()["resolves"]}


def test_new_revision(pour, bucket, hub, prefix):
    content = {"config.json": b'{"v": 1}\n', "a.safetensors": noise(1, 12 * MIB), "sub/b.safetensors": noise(2, 11 * MIB)}
    write(hub, content)
    destination, place = f"s3://{bucket.name}/{prefix}", prefix + REPO + "/"
    first = pour("hf://" + REPO, destination)
    assert first.exit == 0, first
    assert_holds(bucket, place, content)
    times = {key: entry["LastModified"] for key, entry in bucket.list(place).items()}

    changed = {"config.json": b'{"v": 2}\n', "sub/b.safetensors": noise(3, 11 * MIB)}
    write(hub, changed)
    assert hub.commit(REPO) != first.json()["commit"]
    # The manifest says the model is there: a Pod starts with what it knows, until it is told to ask.
    hub.admin("reset", {"all": False})
    assert pour("hf://" + REPO, destination).json()["status"] == "present"
    assert hub.requests() == 0

    second = pour("hf://" + REPO, destination, "--refresh")
    assert (second.exit, second.json()["status"], second.json()["poured_files"]) == (0, "poured", 2), second
    assert second.json()["commit"] == hub.commit(REPO)
    assert resolved(hub) == set(changed)
    assert_holds(bucket, place, {**content, **changed})
    assert bucket.list(place)[place + "a.safetensors"]["LastModified"] == times[place + "a.safetensors"]
    assert bucket.head(place + "config.json")["Metadata"]["hf-commit"] == second.json()["commit"]


def test_repair_of_what_others_did(pour, bucket, hub, prefix):
    content = {"config.json": b"{}\n", "deleted.bin": noise(4, 11 * MIB), "overwritten.bin": noise(5, 12 * MIB),
               "tokenizer.json": b"[]\n", "kept.bin": noise(6, 11 * MIB)}
    write(hub, content)
    entries = hub.files(REPO)
    destination, place = f"s3://{bucket.name}/{prefix}", prefix + REPO + "/"
    flags = ("--include", ",".join(content))
    assert pour("hf://" + REPO, destination, *flags).exit == 0
    assert_holds(bucket, place, content)
    times = {key: entry["LastModified"] for key, entry in bucket.list(place).items()}

    bucket.s3.delete_object(Bucket=bucket.name, Key=place + "deleted.bin")
    bucket.s3.put_object(Bucket=bucket.name, Key=place + "overwritten.bin", Body=bytes(12 * MIB))  # of the same size
    bucket.s3.put_object(Bucket=bucket.name, Key=place + "tokenizer.json", Body=b"[")
    harmed = {"deleted.bin", "overwritten.bin", "tokenizer.json"}
    hub.admin("reset", {"all": False})
    outcome = pour("hf://" + REPO, destination, *flags)
    assert (outcome.exit, outcome.json()["poured_files"]) == (0, len(harmed)), outcome
    assert resolved(hub) == harmed
    assert_holds(bucket, place, content)
    after = bucket.list(place)
    for path in content.keys() - harmed:
        assert after[place + path]["LastModified"] == times[place + path], path
    for path in harmed:
        assert bucket.head(place + path)["Metadata"]["hf-hash"] == hub_hash(entries[path]), path


def test_damaged_manifest_is_no_proof(pour, bucket, hub, prefix):
    """Without a usable manifest the objects are hashed in the bucket; right ones stay."""
    content = {"config.json": b"{}\n", "kept.bin": noise(6, 11 * MIB)}
    write(hub, content)
    destination, place = f"s3://{bucket.name}/{prefix}", prefix + REPO + "/"
    flags = ("--include", ",".join(content))
    assert pour("hf://" + REPO, destination, *flags).exit == 0
    manifest = bucket.manifest(place)
    bucket.s3.put_object(Bucket=bucket.name, Key=place + ".hfpour/manifest.json", Body=json.dumps(manifest).encode()[:-40])
    outcome = pour("hf://" + REPO, destination, *flags)
    assert (outcome.exit, outcome.json()["poured_files"]) == (0, 0), outcome
    assert_holds(bucket, place, content)


def test_what_another_tool_stored_is_kept(pour, bucket, hub, prefix):
    content = {"config.json": b"{}\n", "kept.bin": noise(6, 11 * MIB), "wrong.bin": noise(7, 9 * MIB)}
    write(hub, content)
    destination, place = f"s3://{bucket.name}/{prefix}", prefix + REPO + "/"
    for path, data in content.items():
        bucket.s3.put_object(Bucket=bucket.name, Key=place + path, Body=bytes(len(data)) if path == "wrong.bin" else data)
    outcome = pour("hf://" + REPO, destination, "--include", ",".join(content))
    assert (outcome.exit, outcome.json()["poured_files"]) == (0, 1), outcome
    assert resolved(hub) == {"wrong.bin"}
    assert_holds(bucket, place, content)
