#!/usr/bin/env bash
# Runs the commands that documents show: every block that is fenced as "```sh run", in order, from the root of the
# tree, each in a shell of its own that stops at the first command that fails.
#
#     tools/run-docs.sh FILE.md...
set -uo pipefail
cd "$(dirname "$0")/.."

blocks=0
bad=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for file in "$@"; do
    block=""
    inside=false
    number=0
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        if ! $inside; then
            if [[ $line == '```sh run' ]]; then
                inside=true
                block=""
                first=$((number + 1))
            fi
        elif [[ $line == '```' ]]; then
            inside=false
            blocks=$((blocks + 1))
            # A command that reads its input must not eat the document.
            if bash -euo pipefail -c "$block" >"$log" 2>&1 </dev/null; then
                echo "$file:$first: ok"
            else
                bad=$((bad + 1))
                echo "$file:$first: failed"
                printf '%s' "$block" | sed 's/^/    $ /'
                tail -n 40 "$log" | sed 's/^/    /'
            fi
        else
            block+="$line"$'\n'
        fi
    done <"$file"
    if $inside; then
        bad=$((bad + 1))
        echo "$file:$first: the block does not end"
    fi
done
echo "$blocks blocks of commands, $bad failed"
((bad == 0))
