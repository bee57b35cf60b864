#!/bin/sh
# Unpacks what pack.sh has packed, and runs tierproof with the browser that came along.
#
#   run.sh run matrices/hardware.toml --out DIR
#   run.sh bench --gpu hardware --backend webgpu,webgl --model smollm2-135m --out DIR
#   run.sh COMMAND [ARGS]     any other word of the command: plan, probe, generate, …
#
# Its folder holds the parts of the archives; they may have come in several transfers. They are
# unpacked once, into HARDWARE_HOME [unpacked/ beside this file], and again when they change.
#
# What is set already stays as it is: CHROME, CHROMEDRIVER, TIERPROOF_CACHE, TIERPROOF_BUNDLE_DIR;
# VK_DRIVER_FILES and __EGL_VENDOR_LIBRARY_FILENAMES, which name the GPU's driver where the loaders
# don't find it by themselves; and LD_LIBRARY_PATH, which is searched after the libraries here.
# It installs nothing, and writes nowhere else but to the folder that `--out` names.
# shellcheck disable=SC2016 # backticks are quotation marks in messages
set -eu

here=$(cd "$(dirname "$0")" && pwd)
home=${HARDWARE_HOME:-$here/unpacked}

say() { printf 'run: %s\n' "$*" >&2; }
give_up() { say "$1"; [ -z "${2-}" ] || printf '  hint: %s\n' "$2" >&2; exit 4; }
usage() { sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//p;}' "$0"; }

# Joins an archive's parts, unless what is there was made of the very same ones.
unpack() { # ARCHIVE
    [ -f "$here/$1.sha256" ] || give_up "\`$1.sha256\` is not beside this file" \
        'bring everything that pack.sh has made'
    ! cmp -s "$here/$1.sha256" "$home/$1.sha256" || return 0
    say "unpacking \`$1\`"
    expected=$(cut -d ' ' -f 1 "$here/$1.sha256")
    found=$(cat "$here/$1".tar.xz.* | sha256sum | cut -d ' ' -f 1)
    [ "$expected" = "$found" ] || give_up \
        "archive \`$1\`: expected SHA-256 \`$expected\`, found \`$found\` in $(cd "$here" && echo "$1".tar.xz.*)" \
        'a part is missing or of another packing'
    cat "$here/$1".tar.xz.* | xz -dc | tar -C "$home" -xf -
    cp "$here/$1.sha256" "$home/"
}

# The first of some files that is there.
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
# Programs that look for a home of their own find one that is ours to write to.
export HOME="${HOME:-$home}"
# Containers mount NVIDIA's driver here, where no loader looks.
nvidia=/usr/local/nvidia
icd=${VK_DRIVER_FILES:-$(first "$nvidia/share/vulkan/icd.d/nvidia_icd.json")}
if [ -n "$icd" ]; then
    # The second name is the one that older loaders know.
    export VK_DRIVER_FILES="$icd" VK_ICD_FILENAMES="$icd"
fi
egl=${__EGL_VENDOR_LIBRARY_FILENAMES:-$(first "$nvidia/share/glvnd/egl_vendor.d/10_nvidia.json")}
[ -z "$egl" ] || export __EGL_VENDOR_LIBRARY_FILENAMES="$egl"
# Last, so that the programs above ran with the system's own libraries.
libraries=$home/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
[ ! -d "$nvidia/lib64" ] || libraries=$libraries:$nvidia/lib64
export LD_LIBRARY_PATH="$libraries"
exec "$home/project/tierproof" --root "$home/project" "$@"
