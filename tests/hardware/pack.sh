#!/bin/sh
# Collects what tierproof needs on a machine with a GPU, no network and nothing installed.
#
#   tests/hardware/pack.sh [OPTIONS] OUT [ARCHIVE...]
#
#   --part MIB     size of a part of an archive [60]
#   --model NAME   include this model from the cache; may be repeated
#   --peer NAME    include this peer of `tierproof bench` from the cache; may be repeated
#   --lean         only the fixtures that the default matrix and the hardware matrix name
#
# Archives: `browser` (the shell of Chromium, its driver, their libraries, the loaders of Vulkan
# and EGL), `data` (fixtures, goldens, models), `project` (the command, the bundles, the matrices).
# Without a name all three are made; after a change of the code, `project` is enough. Each becomes
# OUT/ARCHIVE.tar.xz.aa, .ab, …, with run.sh beside them, which joins them again.
#
# It needs Debian on x86-64 with `chromium` and `chromium-driver` installed, whose libraries it copies,
# and the built command (`./tierproof bundle`). It builds the bundle if necessary.
# shellcheck disable=SC2016 # backticks are quotation marks in messages
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${TIERPROOF_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/tierproof}
target=${CARGO_TARGET_DIR:-$root/target}

say() { printf 'pack: %s\n' "$*" >&2; }
give_up() { say "$1"; [ -z "${2-}" ] || printf '  hint: %s\n' "$2" >&2; exit 4; }
usage() { sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//p;}' "$0"; }

# Loaders, which find the driver of the other machine. Chromium opens them by name, so `ldd` does not
# list them.
LOADERS='libvulkan1 libegl1 libglvnd0 libopengl0 libgl1 libglx0 libgles2'
# The libraries that NSS opens by name.
NSS='libfreebl3.so libfreeblpriv3.so libsoftokn3.so libnssckbi.so'
# Part of every system and tied to its kernel and compiler, so the other machine's are used.
OF_THE_SYSTEM='^(ld-linux.*|linux-vdso|libc|libm|libdl|librt|libpthread|libresolv|libutil|libgcc_s|libstdc\+\+)\.so'

# Copies the libraries that a program is linked with, recursively.
libraries() { # PROGRAM FOLDER
    links=$(LD_LIBRARY_PATH=$2 ldd "$1")
    missing=$(printf '%s\n' "$links" | sed -n 's/^[[:space:]]*\(.*\) => not found$/\1/p')
    [ -z "$missing" ] || give_up "\`$1\` needs libraries that are not installed: $missing" \
        'apt-get install chromium chromium-driver'
    printf '%s\n' "$links" | sed -n 's/^[[:space:]]*\([^ ]*\) => \(\/[^ ]*\) .*/\1 \2/p' |
        grep -Ev "$OF_THE_SYSTEM" | while read -r name path; do
            [ -e "$2/$name" ] || cp -L "$path" "$2/$name"
        done
}

download() { # PACKAGE...: unpacked below $work/packages
    mkdir -p "$work/packages"
    # Not as apt's sandbox user, who may not write here.
    (cd "$work" && apt-get download -q -o APT::Sandbox::User=root "$@" >&2) ||
        give_up "\`apt-get download $*\` failed" 'run `apt-get update` first; it needs a network'
    for package in "$work"/*.deb; do
        dpkg -x "$package" "$work/packages"
        rm "$package"
    done
}

collect_browser() { # FOLDER
    version=$(dpkg-query -W -f '${Version}' chromium-common 2>/dev/null) &&
        [ -x /usr/bin/chromedriver ] ||
        give_up 'the packages of Chromium and its driver are not installed' \
            'apt-get install chromium chromium-driver'
    mkdir -p "$1/chromium" "$1/lib"
    # Of the installed version, like the rest of its folder and the driver.
    # shellcheck disable=SC2086 # words, no globs
    download "chromium-headless-shell=$version" $LOADERS
    cp "$work"/packages/usr/lib/chromium/* "$1/chromium/"
    # WebGPU has no adapter unless the loader of Vulkan is beside the browser. The software renderer
    # is for machines that turn out to have no driver.
    for file in libEGL.so libGLESv2.so libvulkan.so.1 libvk_swiftshader.so vk_swiftshader_icd.json \
        icudtl.dat snapshot_blob.bin v8_context_snapshot.bin; do
        cp "/usr/lib/chromium/$file" "$1/chromium/"
    done
    cp /usr/bin/chromedriver "$1/chromium/"
    cp "$work"/packages/usr/lib/x86_64-linux-gnu/*.so.? "$1/lib/"
    for program in "$1"/chromium/chromium-headless-shell "$1"/chromium/chromedriver \
        "$1"/chromium/*.so* "$1"/lib/*.so.?; do
        libraries "$program" "$1/lib"
    done
    nss=$(ldconfig -p | sed -n 's/^[[:space:]]*libnss3\.so .*=> \(.*\)\/libnss3\.so$/\1/p' | head -n 1)
    for name in $NSS; do
        for path in "$nss/$name" "$nss/nss/$name"; do
            [ ! -f "$path" ] || cp -L "$path" "$1/lib/"
        done
    done
    printf '%s\n' "$version" > "$1/chromium/VERSION"
}

# Succeeds for a file that is packed: with --lean, only what the matrices name.
wanted() { # FILE
    [ -n "$lean" ] || return 0
    case $1 in
        fixtures/models/*.gguf | golden/*)
            name=${1#*/}
            name=${name#models/}
            name=${name%%/*}
            grep -qs "\"${name%.gguf}\"" "$root/matrices/default.toml" "$root/matrices/hardware.toml" ||
                case " $models " in *" $name "*) ;; *) return 1 ;; esac ;;
        fixtures/models/architectures/* | fixtures/tokenizer/* | fixtures/reference/*) return 1 ;;
    esac
}

collect_data() { # FOLDER
    mkdir -p "$1/project" "$1/cache/models" "$1/cache/bench"
    (cd "$root" && git ls-files fixtures golden) | while read -r file; do
        ! wanted "$file" || (cd "$root" && cp --parents "$file" "$1/project/")
    done
    for model in $models; do
        cp "$cache/models/$model.gguf" "$1/cache/models/" ||
            give_up "model \`$model\` is not in the cache" "./tierproof models fetch $model"
    done
    for peer in $peers; do
        set -- "$1" "$cache/bench/$peer"-*
        [ -d "$2" ] || give_up "peer \`$peer\` is not in the cache" "./tierproof bench --engine $peer"
        cp -r "$2" "$1/cache/bench/"
    done
}

collect_project() { # FOLDER
    command=$target/debug/tierproof
    [ -x "$target/release/tierproof" ] && [ "$target/release/tierproof" -nt "$command" ] &&
        command=$target/release/tierproof
    [ -x "$command" ] || give_up 'the command is not built' './tierproof bundle'
    mkdir -p "$1/project/bundle"
    strip -o "$1/project/tierproof" "$command"
    # Built here, because the other machine has no compiler. The first line of output is the folder.
    built=$("$command" --root "$root" bundle) || give_up 'the bundle did not build'
    cp -r "$(printf '%s\n' "$built" | head -n 1)/." "$1/project/bundle/"
    (cd "$root" && cp -r matrices "$1/project/")
    # tierproof recognises a checkout by these two folders; the fixtures come with `data`.
    mkdir -p "$1/project/fixtures"
}

pack() { # ARCHIVE
    say "collecting \`$1\`"
    folder=$work/$1
    mkdir -p "$folder"
    "collect_$1" "$folder"
    rm -f "$out/$1".tar.xz.*
    say "packing \`$1\`: $(du -sh "$folder" | cut -f 1)"
    # Sorted and without owners and dates, so that the same files give the same archive, and an
    # unchanged archive need not be copied again.
    tar -C "$folder" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - . |
        xz -T0 > "$work/$1.tar.xz"
    (cd "$work" && sha256sum "$1.tar.xz" > "$out/$1.sha256")
    split -b "${part}m" "$work/$1.tar.xz" "$out/$1.tar.xz."
    rm -r "$work/$1.tar.xz" "$folder"
    for file in "$out/$1".tar.xz.*; do
        say "$(du -h "$file" | tr '\t' ' ')"
    done
}

part=60 models='' peers='' lean=''
while [ $# -gt 0 ]; do
    case $1 in
        --part) part=${2:?--part takes a number} && shift ;;
        --model) models="$models ${2:?--model takes a name}" && shift ;;
        --peer) peers="$peers ${2:?--peer takes a name}" && shift ;;
        --lean) lean=yes ;;
        -h | --help) usage; exit 0 ;;
        -*) usage >&2; exit 2 ;;
        *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || { usage >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- browser data project
for archive; do
    case $archive in browser | data | project) ;; *) give_up "no archive is called \`$archive\`" ;; esac
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
for archive; do
    pack "$archive"
done
cp "$here/run.sh" "$out/"
