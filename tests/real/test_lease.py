"""`--lease-wait` on a real gateway: of four runs that start at once one pours, and none of the others asks the Hub for a byte."""

from lane import assert_holds

REPO = "virtual/large"


def test_of_four_that_start_at_once_one_pours(pour, hub, bucket, prefix):
    runs = [pour.start(f"hf://{REPO}", f"s3://{bucket.name}/{prefix}", "--lease-wait", "100s") for _ in range(4)]
    results = [run.wait(100) for run in runs]
    assert [result.exit for result in results] == [0] * 4, [result.stderr for result in results]
    assert sorted(result.json()["status"] for result in results) == ["poured"] + ["present"] * 3
    fetched = sum(hub.counters()["bytes"].values())
    content = hub.content(REPO)
    assert fetched == sum(map(len, content.values()))
    place = f"{prefix}{REPO}/"
    assert_holds(bucket, place, content, ("manifest.json", "lease/00000001"))
    assert b'"released": true' in bucket.get(place + ".hfpour/lease/00000001")
