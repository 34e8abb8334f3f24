#!/usr/bin/python3
"""Reads a bucket back with boto3, an S3 client that shares no line with hfpour.

    boto3_read.py --endpoint URL [--ca FILE] BUCKET PREFIX
        {KEY: {"size", "etag", "sha256", "metadata"}} of every object under PREFIX, each read to its end.
    boto3_read.py --endpoint URL [--ca FILE] --uploads BUCKET PREFIX
        {KEY: [UPLOAD_ID, ...]} of the multipart uploads that are neither completed nor aborted.
    boto3_read.py --endpoint URL [--ca FILE] --table BUCKET PREFIX
        the first form as lines for people: size, SHA-256, key.

One JSON object on stdout, unless a table is asked for. Credentials and region come from the environment, as boto3 reads them. PREFIX may be
empty or left out. Exit status: 0 done, 1 the store refused or an object is not what the list says, 2 wrong usage.
Debian: python3-boto3.
"""

import argparse
import hashlib
import json
import os
import sys

import boto3
import botocore.config
import botocore.exceptions

CHUNK = 1 << 20


def read_object(s3, bucket, key, listed):
    """What a GET of `key` gives; ValueError if it does not agree with `listed`, its entry in the list."""
    answer = s3.get_object(Bucket=bucket, Key=key)
    sha256 = hashlib.sha256()
    size = 0
    for chunk in answer["Body"].iter_chunks(CHUNK):
        sha256.update(chunk)
        size += len(chunk)
    if not size == answer["ContentLength"] == listed["Size"]:
        raise ValueError(
            f"{key}: {size} bytes came, the answer promised {answer['ContentLength']}, the list {listed['Size']}"
        )
    etag = answer["ETag"].strip('"')
    if etag != listed["ETag"].strip('"'):
        raise ValueError(f"{key}: ETag {etag} in the answer, {listed['ETag']} in the list")
    return {"size": size, "etag": etag, "sha256": sha256.hexdigest(), "metadata": answer["Metadata"]}


def read_objects(s3, bucket, prefix):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {
        listed["Key"]: read_object(s3, bucket, listed["Key"], listed)
        for page in pages
        for listed in page.get("Contents", [])
    }


def open_uploads(s3, bucket, prefix):
    uploads = {}
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        for upload in page.get("Uploads", []):
            uploads.setdefault(upload["Key"], []).append(upload["UploadId"])
    return uploads


def main():
    parser = argparse.ArgumentParser(description="Reads a bucket back with boto3.")
    parser.add_argument("--endpoint", required=True, metavar="URL")
    parser.add_argument("--ca", metavar="FILE", help="certificate authority of an https endpoint")
    parser.add_argument("--uploads", action="store_true", help="print the open multipart uploads instead")
    parser.add_argument("--table", action="store_true", help="print lines for people instead of JSON")
    parser.add_argument("bucket")
    parser.add_argument("prefix", nargs="?", default="")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")  # a bare machine's locale is C
    try:
        s3 = boto3.client(
            "s3",
            endpoint_url=arguments.endpoint,
            region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
            verify=arguments.ca,
            config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        ask = open_uploads if arguments.uploads else read_objects
        result = ask(s3, arguments.bucket, arguments.prefix)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, ValueError) as problem:
        sys.exit(f"boto3_read.py: {problem}")
    if arguments.table:
        for key in sorted(result):
            print(f"{result[key]['size']:>12}  sha256 {result[key]['sha256'][:16]}…  {key}")
        return
    json.dump(result, sys.stdout, ensure_ascii=True, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
