"""Sizes around the edges of a part, and one large file on several lanes."""

from lane import MIB, PART, assert_holds


def test_sizes_around_a_part(pour, bucket, hub, prefix):
    outcome = pour("hf://virtual/parts", f"s3://{bucket.name}/{prefix}", "--part-size", "5Mi", "--memory", "64Mi")
    assert outcome.exit == 0, outcome
    place = prefix + "virtual/parts/"
    assert_holds(bucket, place, hub.content("virtual/parts"))
    count = {key.removeprefix(place): entry["ETag"].strip('"').partition("-")[2] for key, entry in bucket.list(place).items()}
    assert count["two-parts.bin"] == "2"
    assert count["two-parts-and-a-byte.bin"] == "3"
    assert count["three-parts-less-a-byte.bin"] == "3"
    assert count["one-byte.bin"] == count["nothing.bin"] == ""


def test_one_file_in_stripes(pour, bucket, hub, prefix):
    hub.admin("settings", {"cdn_rate": 32 * MIB})  # of each stream, so that they overlap
    outcome = pour("hf://virtual/striped", f"s3://{bucket.name}/{prefix}", "--lanes", "4")
    assert outcome.exit == 0, outcome
    place = prefix + "virtual/striped/"
    counters = hub.counters()
    stripes = sorted([int(number) for number in request["range"].removeprefix("bytes=").split("-")]
                     for request in counters["last_requests"] if request["listener"] == "cdn")
    begins, ends = [first for first, _ in stripes], [last + 1 for _, last in stripes]
    assert begins == [0, *ends[:-1]] and ends[-1] == 64 * MIB, "none is fetched twice"
    assert len(begins) >= 4 and all(begin % PART == 0 for begin in begins), "one for each lane at least, of whole parts"
    assert 2 <= counters["peak_requests"]["cdn"] <= 4
    assert_holds(bucket, place, hub.content("virtual/striped"))
    assert bucket.list(place)[place + "weights.bin"]["ETag"].strip('"').endswith(f"-{64 * MIB // PART}")
