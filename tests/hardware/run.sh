#!/bin/sh
# Unpacks the archives of pack.sh, and runs tierproof with the packed browser.
#
#   run.sh run matrices/hardware.toml --out DIR
#   run.sh bench --gpu hardware --backend webgpu,webgl --model smollm2-135m --out DIR
#   run.sh COMMAND [ARGS]     any other command: plan, probe, generate, …
#
# The parts of the archives have to be in its folder. They are unpacked once, into HARDWARE_HOME
# [unpacked/ beside this file], and again when they change.
#
# It sets these variables unless they are set already: CHROME, CHROMEDRIVER, TIERPROOF_CACHE,
# TIERPROOF_BUNDLE_DIR; VK_DRIVER_FILES and __EGL_VENDOR_LIBRARY_FILENAMES, which name the GPU's driver
# where the loaders don't find it. It searches your LD_LIBRARY_PATH after its own libraries.
# It installs nothing, and writes only to HARDWARE_HOME and to the folder that `--out` names.
# shellcheck disable=SC2016 # backticks are quotation marks in messages
set -eu

here=$(cd "$(dirname "$0")" && pwd)
home=${HARDWARE_HOME:-$here/unpacked}

say() { printf 'run: %s\n' "$*" >&2; }
give_up() { say "$1"; [ -z "${2-}" ] || printf '  hint: %s\n' "$2" >&2; exit 4; }
usage() { sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//p;}' "$0"; }

# Joins an archive's parts, unless the same parts are unpacked already.
unpack() { # ARCHIVE
    [ -f "$here/$1.sha256" ] || give_up "\`$1.sha256\` is not beside this file" \
        'copy everything that pack.sh has made'
    ! cmp -s "$here/$1.sha256" "$home/$1.sha256" || return 0
    say "unpacking \`$1\`"
    expected=$(cut -d ' ' -f 1 "$here/$1.sha256")
    found=$(cat "$here/$1".tar.xz.* | sha256sum | cut -d ' ' -f 1)
    [ "$expected" = "$found" ] || give_up \
        "archive \`$1\`: expected SHA-256 \`$expected\`, found \`$found\` in $(cd "$here" && echo "$1".tar.xz.*)" \
        'a part is missing, or comes from another run of pack.sh'
    cat "$here/$1".tar.xz.* | xz -dc | tar -C "$home" -xf -
    cp "$here/$1.sha256" "$home/"
}

# The first file that exists.
first() {
    for file; do
        [ ! -f "$file" ] || { printf '%s\n' "$file"; return; }
    done
}

case ${1-} in
    '') usage >&2; exit 2 ;;
    -h | --help) usage; exit 0 ;;
esac
mkdir -p "$home"
for archive in browser data project; do
    unpack "$archive"
done

export CHROME="${CHROME:-$home/chromium/chromium-headless-shell}"
export CHROMEDRIVER="${CHROMEDRIVER:-$home/chromium/chromedriver}"
export TIERPROOF_CACHE="${TIERPROOF_CACHE:-$home/cache}"
export TIERPROOF_BUNDLE_DIR="${TIERPROOF_BUNDLE_DIR:-$home/project/bundle}"
# For programs that write to a home folder.
export HOME="${HOME:-$home}"
# Containers mount NVIDIA's driver here, where loaders do not look.
nvidia=/usr/local/nvidia
icd=${VK_DRIVER_FILES:-$(first "$nvidia/share/vulkan/icd.d/nvidia_icd.json")}
if [ -n "$icd" ]; then
    # Older loaders know only the second name.
    export VK_DRIVER_FILES="$icd" VK_ICD_FILENAMES="$icd"
fi
egl=${__EGL_VENDOR_LIBRARY_FILENAMES:-$(first "$nvidia/share/glvnd/egl_vendor.d/10_nvidia.json")}
[ -z "$egl" ] || export __EGL_VENDOR_LIBRARY_FILENAMES="$egl"
# Last, so that the programs above run with the system's own libraries.
libraries=$home/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
[ ! -d "$nvidia/lib64" ] || libraries=$libraries:$nvidia/lib64
export LD_LIBRARY_PATH="$libraries"
exec "$home/project/tierproof" --root "$home/project" "$@"
