#!/usr/bin/env bash
# Checks of the tree that no compiler makes. Prints each offence with its place; status 1 if there are any.
set -uo pipefail
cd "$(dirname "$0")/.."

if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    mapfile -t files < <(git ls-files --cached --others --exclude-standard)
else
    mapfile -t files < <(find . -name target -prune -o -type f -print | sed 's|^\./||')
fi
# This file names what it looks for.
text=()
for file in "${files[@]}"; do
    [[ $file == tools/check-tree.sh || $file == */Cargo.lock || $file == Cargo.lock || ! -f $file ]] || text+=("$file")
done
rust=()
for file in "${text[@]}"; do [[ $file == *.rs ]] && rust+=("$file"); done

bad=0
offence() {
    echo "$1"
    bad=1
}
# Reports lines of the files "$3"... that match $2.
forbid() {
    local what=$1 pattern=$2 found
    shift 2
    found=$(grep -nHIE -- "$pattern" "$@")
    [[ -z $found ]] || offence "$what:"$'\n'"$(sed 's/^/    /' <<<"$found")"
}

forbid "a path of somebody's machine" '(^|[^[:alnum:]_./-])/(work|home|root|Users)/' "${text[@]}"
forbid "unfinished code (return an error that names what is missing)" '\b(todo|unimplemented)!' "${rust[@]}"
forbid "a leftover" '\bdbg!' "${rust[@]}"
forbid "a test that does not run" '^[[:space:]]*#\[ignore' "${rust[@]}"
forbid "spaces at the end of a line" '[[:space:]]+$' "${rust[@]}"
forbid "unresolved conflict" '^(<<<<<<<|>>>>>>>) ' "${text[@]}"

# Named notes: `NOTE[name]:` states one, once; `NOTE[name]` without the colon cites it.
defined=$(grep -hoIE 'NOTE\[[a-z0-9-]+\]:' "${text[@]}" | tr -d : | sort)
for note in $(uniq -d <<<"$defined"); do offence "$note is stated more than once"; done
while IFS= read -r cited; do
    grep -qxF -- "$cited" <<<"$defined" || offence "$cited is cited and nowhere stated"
done < <(grep -hoIE 'NOTE\[[a-z0-9-]+\]' "${text[@]}" | sort -u)

# Links of documents to files of the tree.
for file in "${text[@]}"; do
    [[ $file == *.md ]] || continue
    while IFS= read -r target; do
        target=${target%%#*}
        [[ -z $target || $target == *://* || $target == mailto:* ]] && continue
        [[ -e $(dirname "$file")/$target ]] || offence "$file links to $target, which does not exist"
    done < <(sed '/^```/,/^```/d' "$file" | grep -oE '\]\([^) ]+\)' | sed 's/^](//; s/)$//')
done

((bad == 0)) && echo "${#files[@]} files"
exit $bad
