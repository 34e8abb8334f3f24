# SPDX-License-Identifier: MIT
"""The tools and how each is told to pour a model."""

import dataclasses
import shlex

MULTIPART = "--s3-chunk-size 16Mi --s3-upload-concurrency 4 --s3-no-check-bucket --s3-no-head"
# How each tool is told whom to trust.
TRUST = {"hfpour": '--ca-bundle "$CA"', "rclone": '--ca-cert "$CA"', "aws": '--ca-bundle "$CA"', "curl": '--cacert "$CA"',
         "s3cmd": '--ssl --ca-certs="$CA"'}
PIPE = "curl | curl"


@dataclasses.dataclass
class Peer:
    """A tool with its options. `whole` is run once for the model; `each` for every file, `parallel` side by side, with $URL, $KEY,
    $SIZE and $PUT (a presigned address). `pours` names the model of the case that it pours."""

    name: str
    whole: str = ""
    each: str = ""
    parallel: int = 1
    verified: bool = False
    pours: str = "all"

    def shown(self):
        """The command as the report prints it."""
        return self.whole or f"xargs -P {self.parallel} -L 1 bash -c '{self.each}'"

    def command(self, model, store, prefix, hub, folder):
        """What the shell is given. The list of files goes into `folder`."""
        if self.whole:
            return self.whole
        lines = folder / "files"
        with lines.open("w", encoding="utf-8") as out:
            for path, (size, _) in model.files.items():
                key = prefix + path
                fields = f"{hub.hub}/{model.id}/resolve/main/{path}", key, str(size), store.put_url(key)
                out.write(" ".join(map(shlex.quote, fields)) + "\n")
        script = "URL=$1 KEY=$2 SIZE=$3 PUT=$4; " + self.each
        return f"xargs -P {self.parallel} -L 1 bash -o pipefail -c {shlex.quote(script)} - < {shlex.quote(str(lines))}"


def _with(tool, tls):
    return " " + TRUST[tool] if tls else " --no-ssl" if tool == "s3cmd" else ""


def hfpour(options="", pours="all", tls=False):
    name = " ".join(["hfpour", *options.split()])
    settings = f" {options}" if options else ""
    return Peer(name, whole=f'"$HFPOUR" "hf://$MODEL" "s3://$BUCKET/$PREFIX" --quiet{settings}{_with("hfpour", tls)}', verified=True,
                pours=pours)


def rclone_copyurl(parallel, pours="all", tls=False):
    """One address at a time, with settings that are kind to large files."""
    return Peer("rclone copyurl", each=f'rclone copyurl "$URL" "s3:$BUCKET/$KEY" {MULTIPART}{_with("rclone", tls)}', parallel=parallel,
                pours=pours)


def rclone_copy(transfers=0, pours="all", tls=False):
    """From rclone's own http backend over the CDN's index, as it comes or with as many transfers as told."""
    wider = f" --transfers {transfers}" if transfers else ""
    return Peer(f"rclone copy{wider}", whole=f'rclone copy :http: "s3:$BUCKET/$PREFIX" --http-url "$CDN/$MODEL/" '
                f'--s3-no-check-bucket{wider}{_with("rclone", tls)}', pours=pours)


def aws(parallel, pours="all", tls=False):
    return Peer("curl | aws s3 cp -", each=f'curl -sSfL{_with("curl", tls)} "$URL" | aws s3 cp - "s3://$BUCKET/$KEY" --expected-size "$SIZE" '
                f'--endpoint-url "$S3_ENDPOINT_URL" --only-show-errors{_with("aws", tls)}', parallel=parallel, pours=pours)


def s3cmd(parallel, pours="all", tls=False):
    return Peer("curl | s3cmd put -", each=f'curl -sSfL{_with("curl", tls)} "$URL" | s3cmd put - "s3://$BUCKET/$KEY" --quiet '
                f'--host="$S3_HOST" --host-bucket="$S3_HOST"{_with("s3cmd", tls)}', parallel=parallel, pours=pours)


def pipe(parallel, pours="all", tls=False):
    """No check of anything: what moving the bytes costs."""
    trust = _with("curl", tls)
    return Peer(PIPE, each=f'curl -sSfL{trust} "$URL" | curl -sSf{trust} -T - -H "Content-Length: $SIZE" -H Transfer-Encoding: '
                '-H Expect: "$PUT"', parallel=parallel, pours=pours)


def environment(model, store, hub, prefix, home, binary, authority):
    """What every tool sees, and nothing of the caller's."""
    endpoint = store.environment["S3_ENDPOINT_URL"]
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8", "NO_PROXY": "*", **store.environment,
            "S3_HOST": endpoint.split("://", 1)[1], "HFPOUR": binary, "MODEL": model.id, "PREFIX": prefix, "HF_ENDPOINT": hub.hub,
            "CDN": hub.cdn, "CA": str(authority or ""), "AWS_EC2_METADATA_DISABLED": "true", "RCLONE_CONFIG": "",
            "RCLONE_CONFIG_S3_TYPE": "s3", "RCLONE_CONFIG_S3_PROVIDER": "Ceph", "RCLONE_CONFIG_S3_ENV_AUTH": "true",
            "RCLONE_CONFIG_S3_ENDPOINT": endpoint}
