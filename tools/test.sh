#!/usr/bin/env bash
# The one test command: installs what the tests need from the distribution if it is missing, then runs everything.
#
#     tools/test.sh             all of it
#     tools/test.sh --benches   and builds and lints tools/benches, which compiles Cranelift (minutes)
#
# Needs: a Debian-like system, Rust with rustfmt and clippy; root or sudo if something has to be installed.
# Ends with status 0 if everything passed, else with 1 and the names of the steps that failed.
set -uo pipefail
cd "$(dirname "$0")/.."

benches=false
case "${1:-}" in
    "") ;;
    --benches) benches=true ;;
    *) echo "usage: tools/test.sh [--benches]" >&2; exit 2 ;;
esac

# ----- What is missing -----

# Adds package $2 to the list unless the file or command $1 exists.
packages=()
need() {
    if [[ $1 == /* ]]; then [[ -e $1 ]]; else command -v "$1" >/dev/null; fi || packages+=("$2")
}
need cc                              gcc
need qemu-arm                        qemu-user
need arm-linux-gnueabihf-as          binutils-arm-linux-gnueabihf
need powerpc64-linux-gnu-as          binutils-powerpc64-linux-gnu
need powerpc64le-linux-gnu-as        binutils-powerpc64le-linux-gnu
need arm-linux-gnueabihf-gcc         gcc-arm-linux-gnueabihf
need /usr/arm-linux-gnueabihf/include libc6-dev-armhf-cross
need arm-linux-gnueabi-gcc           gcc-arm-linux-gnueabi
need /usr/arm-linux-gnueabi/include  libc6-dev-armel-cross
need qemu-ppc64                      qemu-user
need qemu-ppc64le                    qemu-user
need powerpc64-linux-gnu-gcc         gcc-powerpc64-linux-gnu
need /usr/powerpc64-linux-gnu/include libc6-dev-ppc64-cross
need powerpc64le-linux-gnu-gcc       gcc-powerpc64le-linux-gnu
need /usr/powerpc64le-linux-gnu/include libc6-dev-ppc64el-cross
if ((${#packages[@]})); then
    echo "== installing ${packages[*]}"
    as_root=()
    if [[ $(id -u) != 0 ]]; then
        if ! command -v sudo >/dev/null; then
            echo "missing: ${packages[*]}; install them, or run this as root" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    if ! { "${as_root[@]}" apt-get update -qq &&
           "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
               apt-get install -y -qq --no-install-recommends "${packages[@]}"; }; then
        echo "cannot install ${packages[*]}" >&2
        exit 1
    fi
fi
for tool in cargo rustfmt cargo-clippy; do
    if ! command -v $tool >/dev/null; then
        echo "missing: $tool; see https://rustup.rs (components rustfmt and clippy)" >&2
        exit 1
    fi
done

# ----- Steps -----

failed=()
step() {
    local name=$1 start=$SECONDS
    shift
    echo
    echo "== $name: $*"
    if "$@"; then
        echo "== $name: ok ($((SECONDS - start)) s)"
    else
        failed+=("$name")
        echo "== $name: FAILED ($((SECONDS - start)) s)"
    fi
}

step "format" cargo fmt --all --check
step "format of the benches" cargo fmt --manifest-path tools/benches/Cargo.toml --check
step "format of the no-std check" cargo fmt --manifest-path tools/no-std/Cargo.toml --check
step "tree" tools/check-tree.sh
step "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
step "without std" cargo build --locked -p windlass-ir -p windlass-regalloc -p windlass --no-default-features
step "really without std" cargo clippy --manifest-path tools/no-std/Cargo.toml --target-dir target/no-std -- -D warnings
step "tests" cargo test --workspace --locked --no-fail-fast
step "commands in documents" tools/run-docs.sh README.md ARCHITECTURE.md CONTRIBUTING.md docs/*.md isle-rules/README.md
if $benches; then
    step "lints of the benches" cargo clippy --manifest-path tools/benches/Cargo.toml --target-dir target/benches -- -D warnings
    step "benches" cargo run --release --manifest-path tools/benches/Cargo.toml --target-dir target/benches -- --quick
fi

echo
if ((${#failed[@]})); then
    echo "FAILED: ${failed[*]}"
    exit 1
fi
echo "all passed in $((SECONDS / 60)) min $((SECONDS % 60)) s"
