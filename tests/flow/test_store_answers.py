"""A store whose answers lie: false and missing ETags, parts that vanish, listings that are broken or never end."""

import pytest
from store_bench import (ALWAYS, MODEL, PLACES, fails, fired, model, pours, run, settled)  # noqa: F401  (model is a fixture)

WITH_BODY = ["UploadPart", "PutObject"]


# ---- answers that lie

@pytest.mark.parametrize("place", WITH_BODY)
@pytest.mark.parametrize("form", ["empty", "quotes", "missing"])
def test_an_answer_without_an_etag_is_not_believed(model, store, pour, place, form):
    store.fault("empty_etag", form=form, **PLACES[place])
    pours(store, pour)


@pytest.mark.parametrize("place", WITH_BODY)
def test_a_wrong_etag_once_heals(model, store, pour, place):
    store.fault("wrong_etag", **PLACES[place])
    pours(store, pour)


def test_a_part_whose_etag_is_always_wrong_ends_with_advice(model, store, pour):
    store.fault("wrong_etag", op="UploadPart", part=1, count=ALWAYS)
    present = set(MODEL) - {"big.bin"}
    result = fails(store, pour, 5, "--upload-check none", present=present)
    assert "big.bin" in result.stderr.splitlines()[-1] and fired(store) <= 5, "three times, then it fails (contract s3 4.11)"


def test_without_the_check_wrong_etags_do_not_matter(model, store, pour):
    # A store that encrypts: 32 digits that are no MD5, the same in each answer.
    store.fault("non_md5_etag", form="hex32")
    pours(store, pour, "--upload-check", "none", etags_are_md5=False)


def test_opaque_etags_are_taken_as_they_are(model, store, pour):
    store.fault("non_md5_etag", form="opaque")
    pours(store, pour, etags_are_md5=False)


@pytest.mark.parametrize("place", WITH_BODY)
def test_a_byte_the_store_keeps_differently_is_sent_again(model, store, pour, place):
    store.fault("damage", at_byte=1234, **PLACES[place])
    pours(store, pour)


def test_a_part_the_store_loses_costs_one_restart(model, store, pour):
    store.fault("drop_part", part=2)
    pours(store, pour)
    assert store.counters()["requests"]["CreateMultipartUpload"] == 2


@pytest.mark.parametrize("part", [1, 2, 3])
def test_an_upload_that_vanished_is_begun_again(model, store, pour, part):
    store.fault("forget_upload", op="UploadPart", part=part)
    result = pours(store, pour)
    assert store.counters()["requests"]["CreateMultipartUpload"] == 2
    assert "could not be dropped" not in result.stderr and result.seconds < 5, result.stderr


# ---- listing

def test_a_broken_listing_is_asked_for_again(model, store, pour):
    store.fault("list_broken_xml", op="ListObjectsV2")
    pours(store, pour)


def test_a_listing_in_many_pages(model, store, pour):
    assert run(pour).exit == 0
    store.fault("list_truncated", op="ListObjectsV2", page=1)
    result = run(pour, "--json")
    assert result.exit == 0 and result.json()["status"] == "present", result.stderr
    settled(store)


@pytest.mark.parametrize("how", [{"loop": True}, {"no_token": True}])
def test_a_listing_without_an_end_is_refused(model, store, pour, how):
    assert run(pour).exit == 0
    store.fault("list_truncated", op="ListObjectsV2", page=1, **how)
    result = run(pour)
    assert result.exit == 5 and "list" in result.stderr, result.stderr
    settled(store)
