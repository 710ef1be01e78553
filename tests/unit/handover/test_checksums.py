"""Content compared with what its key says."""

import hashlib
import zlib

import pytest
from bidsloom.handover.checksums import checked, is_intact, sha256_key
from helpers.studies import git

CONTENT = b"voxels\0" * 100


def key_for(kind: str) -> str:
    size = len(CONTENT)
    if kind == "GIT":
        return f"GIT--{hashlib.sha1(b'blob %d' % size + bytes(1) + CONTENT).hexdigest()}"
    if kind == "CRC32":
        return f"CRC32-s{size}--{zlib.crc32(CONTENT):08x}"
    name = hashlib.new(kind.lower().removesuffix("e"), CONTENT).hexdigest()
    return f"{kind}-s{size}--{name}" + (".nii.gz" if kind.endswith("E") else "")


@pytest.mark.parametrize("kind", ["MD5E", "MD5", "SHA1", "SHA256E", "SHA512", "GIT", "CRC32"])
def test_damage_is_found_by_each_kind_of_key(tmp_path, kind):
    """One other byte, one byte less: neither passes for the content."""
    key, size = key_for(kind), len(CONTENT)
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    assert is_intact(file, key, size)
    file.write_bytes(CONTENT[:-1] + b"x")
    assert not is_intact(file, key, size)
    file.write_bytes(CONTENT[:-1])
    assert not is_intact(file, key, size)
    assert not is_intact(tmp_path / "missing", key, size)


def test_key_without_a_checksum_says_the_size_alone():
    """Files registered by URL, for example."""
    assert [b"ab"] == list(checked([b"ab"], "URL-s2--http://x", 2))
    with pytest.raises(ValueError, match="3 bytes instead of 2"):
        list(checked([b"abc"], "URL-s2--http://x", 2))


def test_key_of_a_blob_is_gits_own(tmp_path):
    """Git computes the same name."""
    (tmp_path / "file").write_bytes(CONTENT)
    name = git("hash-object", "file", cwd=tmp_path)
    assert key_for("GIT") == f"GIT--{name}"
    assert sha256_key(tmp_path / "file") == key_for("SHA256")
