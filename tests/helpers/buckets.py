"""An S3 server of the tests, and buckets in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3

KEYS = {"AWS_ACCESS_KEY_ID": "the-lab", "AWS_SECRET_ACCESS_KEY": "marked-secret-1618"}


@dataclass
class Buckets:
    """A running server; `client` is the owner's."""

    port: int
    client: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def make(self, name: str, *, public: bool = False) -> None:
        """A bucket; a public one keeps every version of its objects, as OpenNeuro's does."""
        self.client.create_bucket(Bucket=name, ACL="public-read" if public else "private")
        if public:
            versioning = {"Status": "Enabled"}
            self.client.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)

    def names(self, bucket: str) -> list[str]:
        """The names of the objects in a bucket."""
        found = self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [entry["Key"] for entry in found]

    def contents(self, bucket: str) -> dict[str, bytes]:
        """Name -> content of each object in a bucket."""
        get = self.client.get_object
        return {name: get(Bucket=bucket, Key=name)["Body"].read() for name in self.names(bucket)}

    def parameters(self, bucket: str, **more: str) -> dict[str, str]:
        """What git-annex has to know of a bucket."""
        known = {"type": "S3", "encryption": "none", "bucket": bucket, "host": "127.0.0.1"}
        known |= {"port": str(self.port), "protocol": "http", "requeststyle": "path"}
        return {**known, "signature": "v4", **more}


@contextlib.contextmanager
def serve_buckets() -> Iterator[Buckets]:
    """An S3 server without buckets."""
    # Not at the top: it takes seconds.
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )
        yield Buckets(port, client)
    finally:
        server.stop()
