#!/usr/bin/env python3
"""A small, real BIDS App: statistics of every voxel of a subject's images.

    imagestats.py bids_dir output_dir participant --participant-label 001

Writes a BIDS derivative: per image a JSON file with its statistics and a PNG
of its middle slice, per bold series also a TSV of the mean of every volume
and a NIfTI map of temporal signal-to-noise, per subject an HTML page; `.bidsignore` lists those for
which BIDS has no names.
Needs nothing but Python, so that the file itself can serve as a container
image; the same input gives the same bytes.
"""

import argparse
import array
import gzip
import html
import json
import math
import struct
import sys
import zlib
from pathlib import Path

VERSION = "1.0.0"
README = """\
# imagestats

Statistics of every voxel of a subject's images, a map of temporal signal-to-noise
and the mean of each volume; `sub-<label>.html` is the subject's page.
"""
# What BIDS has no names for.
NOT_YET_IN_BIDS = """\
*.html
figures
*_desc-stats_*
*_boldmap.nii.gz
*_timeseries.tsv
"""

# NIfTI-1 datatype code -> array typecode.
TYPECODES = {2: "B", 4: "h", 8: "i", 16: "f", 64: "d", 256: "b", 512: "H", 768: "I"}


class Image:
    """A NIfTI-1 image: shape, voxel sizes in mm (and s), scaled voxels in file order."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        self.order = "<" if struct.unpack_from("<i", raw)[0] == 348 else ">"
        if struct.unpack_from(f"{self.order}i", raw)[0] != 348:
            raise ValueError(f"{path} is no NIfTI-1 image")
        dim = struct.unpack_from(f"{self.order}8h", raw, 40)
        self.shape = dim[1 : 1 + dim[0]]
        self.zooms = struct.unpack_from(f"{self.order}8f", raw, 76)[1 : 1 + dim[0]]
        code = struct.unpack_from(f"{self.order}h", raw, 70)[0]
        offset, slope, intercept = struct.unpack_from(f"{self.order}3f", raw, 108)
        self.header = raw[:348]
        voxels = array.array(TYPECODES[code])
        count = math.prod(self.shape)
        voxels.frombytes(raw[int(offset) : int(offset) + count * voxels.itemsize])
        if (self.order == "<") != (sys.byteorder == "little"):
            voxels.byteswap()
        # A slope of 0 means "not scaled" (NIfTI-1 standard).
        if slope not in (0, 1) or intercept:
            slope = slope or 1.0
            self.voxels = [slope * v + intercept for v in voxels]
        else:
            self.voxels = [float(v) for v in voxels]

    @property
    def volume_size(self) -> int:
        """Voxels of one volume."""
        return math.prod(self.shape[:3])

    def volumes(self) -> list[list[float]]:
        """The voxels of each volume."""
        n = self.volume_size
        return [self.voxels[i : i + n] for i in range(0, len(self.voxels), n)]


def mean_sd(values: list[float]) -> tuple[float, float]:
    """Mean and standard deviation (population)."""
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))


def histogram(values: list[float], bins: int) -> list[int]:
    """Counts in equal bins from the least to the greatest value."""
    low, high = min(values), max(values)
    width = (high - low) / bins or 1.0
    counts = [0] * bins
    for value in values:
        counts[min(int((value - low) / width), bins - 1)] += 1
    return counts


def tsnr_map(image: Image) -> list[float]:
    """Temporal mean over temporal standard deviation of every voxel; 0 where it is constant."""
    series = zip(*image.volumes(), strict=True)
    pairs = (mean_sd(list(values)) for values in series)
    return [mean / sd if sd else 0.0 for mean, sd in pairs]


def write_map(path: Path, image: Image, values: list[float]) -> None:
    """Write one float32 volume on the grid of an image."""
    header = bytearray(image.header)
    dim = [3, *image.shape[:3], 1, 1, 1, 1]
    struct.pack_into(f"{image.order}8h", header, 40, *dim)
    struct.pack_into(f"{image.order}2h", header, 70, 16, 32)
    struct.pack_into(f"{image.order}3f", header, 108, 352.0, 1.0, 0.0)
    header[344:348] = b"n+1\0"
    data = struct.pack(f"{image.order}{len(values)}f", *values)
    # No time stamp: the same input must give the same bytes.
    path.write_bytes(gzip.compress(bytes(header) + b"\0" * 4 + data, mtime=0))


def write_png(path: Path, image: Image) -> None:
    """Write the middle axial slice of the first volume in grey."""
    nx, ny = image.shape[:2]
    start = image.shape[2] // 2 * nx * ny
    plane = image.voxels[start : start + nx * ny]
    low, high = min(plane), max(plane)
    scale = 255 / ((high - low) or 1.0)
    grey = [int((v - low) * scale) for v in plane]
    rows = (b"\0" + bytes(grey[y * nx : (y + 1) * nx]) for y in range(ny - 1, -1, -1))

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">2I5B", nx, ny, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"".join(rows), 9))
        + chunk(b"IEND", b"")
    )


def process_image(path: Path, bids_dir: Path, output_dir: Path, bins: int) -> dict:
    """Write the derivatives of one image; gives its statistics."""
    image = Image(path)
    relative = path.relative_to(bids_dir)
    stem, _, suffix = relative.name.removesuffix(".gz").removesuffix(".nii").rpartition("_")
    folder = output_dir / relative.parent
    figures = output_dir / relative.parts[0] / "figures"
    for needed in (folder, figures):
        needed.mkdir(parents=True, exist_ok=True)
    mean, sd = mean_sd(image.voxels)
    counts = histogram(image.voxels, bins)
    stats = {
        "Sources": [f"bids:raw:{relative.as_posix()}"],
        "Shape": list(image.shape),
        "VoxelSize": [round(z, 4) for z in image.zooms],
        "Voxels": len(image.voxels),
        "Minimum": min(image.voxels),
        "Maximum": max(image.voxels),
        "Mean": round(mean, 6),
        "StandardDeviation": round(sd, 6),
        "Histogram": counts,
    }
    if len(image.shape) > 3 and image.shape[3] > 1:
        tsnr = tsnr_map(image)
        inside = [v for v in tsnr if v > 0]
        stats["MedianTSNR"] = round(sorted(inside)[len(inside) // 2], 4) if inside else None
        write_map(folder / f"{stem}_stat-tsnr_{suffix}map.nii.gz", image, tsnr)
        means = [mean_sd(volume)[0] for volume in image.volumes()]
        table = ["volume\tmean", *(f"{n}\t{m:.6f}" for n, m in enumerate(means))]
        (folder / f"{stem}_desc-mean_timeseries.tsv").write_text("\n".join(table) + "\n")
    (folder / f"{stem}_desc-stats_{suffix}.json").write_text(json.dumps(stats, indent=2) + "\n")
    write_png(figures / f"{stem}_{suffix}.png", image)
    return {"name": f"{stem}_{suffix}", **stats}


def write_page(path: Path, subject: str, images: list[dict]) -> None:
    """Write the subject's HTML page."""
    rows = "".join(
        f"<tr><td><img src='sub-{subject}/figures/{i['name']}.png' width='96' alt=''>"
        f"<td>{html.escape(i['name'])}<td>{'&times;'.join(map(str, i['Shape']))}"
        f"<td>{i['Mean']:.2f} &plusmn; {i['StandardDeviation']:.2f}"
        f"<td>{i.get('MedianTSNR', '')}</tr>\n"
        for i in images
    )
    path.write_text(
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        f"<title>sub-{subject}</title><h1>sub-{subject}</h1>\n<table border='1'>"
        "<tr><th>Slice<th>Image<th>Shape<th>Mean &plusmn; SD<th>Median tSNR</tr>\n"
        f"{rows}</table></html>\n"
    )


def main() -> int:
    """The BIDS App's command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bids_dir", type=Path)
    parser.add_argument("output_dir", type=Path)
    parser.add_argument("analysis_level", choices=["participant"])
    parser.add_argument("--participant-label", "--participant_label", nargs="+", required=True)
    parser.add_argument("--session-label", "--session_label", nargs="+")
    parser.add_argument("--histogram-bins", "--histogram_bins", type=int, default=16)
    parser.add_argument("--version", action="version", version=f"imagestats {VERSION}")
    args = parser.parse_args()
    args.output_dir.mkdir(parents=True, exist_ok=True)
    description = {
        "Name": "imagestats",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "imagestats", "Version": VERSION}],
    }
    target = args.output_dir / "dataset_description.json"
    target.write_text(json.dumps(description, indent=2) + "\n")
    (args.output_dir / "README.md").write_text(README)
    (args.output_dir / ".bidsignore").write_text(NOT_YET_IN_BIDS)
    for label in args.participant_label:
        subject = label.removeprefix("sub-")
        root = args.bids_dir / f"sub-{subject}"
        sessions = [f"ses-{s.removeprefix('ses-')}" for s in args.session_label or []]
        folders = [root / s for s in sessions] or [root]
        paths = sorted(p for f in folders for p in f.rglob("*.nii*") if p.is_file())
        if not paths:
            print(f"sub-{subject} has no images in {args.bids_dir}", file=sys.stderr)
            return 2
        images = []
        for path in paths:
            print(f"reading {path}", flush=True)
            images.append(process_image(path, args.bids_dir, args.output_dir, args.histogram_bins))
        page = "_".join([f"sub-{subject}", *sessions])
        write_page(args.output_dir / f"{page}.html", subject, images)
    return 0


if __name__ == "__main__":
    sys.exit(main())
