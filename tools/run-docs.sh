#!/usr/bin/env bash
# Runs the commands that documents show, from the root of the tree, with `windlass` in the path.
#
#     tools/run-docs.sh [--bless] FILE.md...
#
# Two kinds of fenced blocks are run:
#
#     ```sh run          all lines, in a shell of its own that stops at the first command that fails
#     ```console run     each line behind "$ "; the lines after it are what it must print, and what --bless writes there
set -uo pipefail
cd "$(dirname "$0")/.."

bless=false
if [[ ${1:-} == --bless ]]; then
    bless=true
    shift
fi

if ! cargo build --release --locked --quiet -p windlass-tools; then
    echo "the windlass command does not build" >&2
    exit 1
fi
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export PATH="$target/release:$PATH"
mkdir -p target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

blocks=0
bad=0

# Runs the commands in $work/commands; 0 if all succeed. Commands get no input: they must not eat the document.
run_sh() {
    bash -euo pipefail "$work/commands" >"$work/log" 2>&1 </dev/null
}

# Runs each command of the session in $work/commands and compares what it prints.
run_console() {
    : >"$work/actual"
    local line
    while IFS= read -r line; do
        [[ $line == '$ '* ]] || continue
        printf '%s\n' "$line" >>"$work/actual"
        bash -uo pipefail -c "${line#\$ }" >>"$work/actual" 2>&1 </dev/null
    done <"$work/commands"
    diff -u --label document --label actual "$work/commands" "$work/actual" >"$work/log"
}

for file in "$@"; do
    : >"$work/document"
    kind=""
    number=0
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        if [[ -z $kind ]]; then
            case $line in
                '```sh run') kind=sh ;;
                '```console run') kind=console ;;
            esac
            first=$((number + 1))
            : >"$work/commands"
        elif [[ $line == '```' ]]; then
            blocks=$((blocks + 1))
            if "run_$kind"; then
                echo "$file:$first: ok"
            elif $bless && [[ $kind == console ]]; then
                echo "$file:$first: blessed"
                cp "$work/actual" "$work/commands"
            else
                bad=$((bad + 1))
                echo "$file:$first: failed"
                [[ $kind == console ]] || sed 's/^/    $ /' "$work/commands"
                tail -n 60 "$work/log" | sed 's/^/    /'
            fi
            cat "$work/commands" >>"$work/document"
            kind=""
        else
            printf '%s\n' "$line" >>"$work/commands"
            continue
        fi
        printf '%s\n' "$line" >>"$work/document"
    done <"$file"
    if $bless && ! cmp -s "$work/document" "$file"; then
        cat "$work/document" >"$file"
    fi
    if [[ -n $kind ]]; then
        bad=$((bad + 1))
        echo "$file:$first: the block does not end"
    fi
done
echo "$blocks blocks of commands, $bad failed"
((bad == 0))
