#!/bin/sh
# Checks style and structure: format, clang-tidy, includes, names of layers, wording, sizes of files, syntax of scripts. Prints
# one line per check. A check whose tool is missing is skipped, with a message. The exit status is 1 if a check fails.
cd "$(dirname "$0")/.." || exit 1
log=$(mktemp) prose=$(mktemp)
trap 'rm -f "$log" "$prose"' EXIT
status=0
files() { # patterns: those that exist, tracked or new
    git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while read -r file; do [ -e "$file" ] && echo "$file"; done
}
report() { # name, what was checked: passed if the log is empty
    if [ -s "$log" ]; then
        head -n 60 "$log"
        echo "lint: $1: FAILED"
        status=1
    else
        echo "lint: $1: ok, $2"
    fi
}
count() { echo "$(wc -l | tr -d ' ') files"; }

if command -v clang-format >/dev/null; then
    files '*.h' '*.cpp' '*.inl' '*.cu' | xargs clang-format --dry-run -Werror 2>&1 | grep 'error:' | cut -d: -f 1 | uniq -c |
        awk '{ print $2 ": " $1 " places differ from the output of `make format`" }' >"$log"
    report "format" "$(files '*.h' '*.cpp' '*.inl' '*.cu' | count)"
else
    echo "lint: format: skipped, clang-format is not installed (apt-get install clang-format)"
fi

# tests/ is excluded because most findings would be in doctest's macros, kernels/ because it uses GCC's vector types.
code() { files 'apps/*.cpp' 'engine/*.cpp' 'data/*.cpp'; }
if command -v clang-tidy >/dev/null; then
    # Starts with the longest files, so that no long file runs alone at the end.
    code | xargs wc -c | sort -rn | awk '$2 != "total" { print $2 }' |
        xargs -P "$(nproc)" -I '{}' sh -c 'clang-tidy --quiet "$1" -- -std=c++20 -I. 2>/dev/null' sh '{}' >"$log"
    report "clang-tidy" "$(code | count)"
else
    echo "lint: clang-tidy: skipped, clang-tidy is not installed (apt-get install clang-tidy)"
fi

# Each folder includes only itself and folders before it in this list, so there are no cycles.
floors="base kernels/contract kernels kernels/cpu kernels/cuda data
    engine/tensor engine/autograd engine/config engine/nn engine/model engine/train engine/gan engine/classifier
    engine/diagnostics engine/metrics engine/run engine/bench apps"
for top in base kernels data engine apps; do files "$top/*.h" "$top/*.cpp" "$top/*.inl" "$top/*.cu" "$top/*.cuh"; done |
    xargs grep -nE '^ *# *include *("|<(base|kernels|data|engine|apps)/)' /dev/null |
    awk -F'[:"<>]' -v floors="$floors" '
        function folder(file) { sub("/[^/]*$", "", file); return file }
        BEGIN { n = split(floors, list, " "); for (i = 1; i <= n; ++i) floor[list[i]] = i }
        {
            from = folder($1); to = folder($4)
            if (!(from in floor)) print $1 ": " from " is not in the list of folders (tools/lint.sh)"
            else if (index($4, "/") && (!(to in floor) || floor[to] > floor[from])) print $1 ":" $2 ": " from " includes " $4
        }' >"$log"
report "folders" "$(echo $floors | wc -w | tr -d ' ') folders, none includes a later one"

# Code outside engine/nn checks the traits of a layer, not its name.
layers=$(sed -n '/^## Layers/,$s/^### //p' docs/model-format.md | paste -sd '|')
files 'engine/*.h' 'engine/*.cpp' 'apps/*.cpp' | grep -v '^engine/nn/' |
    xargs grep -nE "[!=]= *\"($layers)\"|\"($layers)\" *[!=]=|\"($layers)\"s?\.|(\.|->)type\.[a-z_]+\(" /dev/null >"$log"
report "layers" "no name of a layer is compared outside engine/nn"

# Keys of a model file are looked up by name only where the file is read and where networks are built; other code uses typed
# structs.
files 'engine/*.h' 'engine/*.cpp' 'apps/*.cpp' | grep -Ev '^engine/(config|model|nn)/' |
    xargs grep -nE 'config::Object|keys\.(text|integers?|numbers?|boolean|object|value|has|is_image)\(' /dev/null >"$log"
report "keys" "no key of a model file is looked up by name outside engine/{config,model,nn}"

# CONTRIBUTING.md lists the files and functions of a training step.
sed -n 's/^| `\([a-z_/]*\.cpp\)` | `\([A-Za-z_:]*\)` |.*/\1 \2/p' CONTRIBUTING.md | while read -r file name; do
    # a definition at the start of a line, not a call or a declaration: no ';' comes before its '{'
    grep -qPzo "(?m)^(\\w[\\w:<>&*, ]*[ &*]$name\\(|struct $name )[^;{]*\\{" "$file" 2>/dev/null || echo "CONTRIBUTING.md: $file does not define $name"
done >"$log"
tour=$(grep -cE '^\| `[a-z_/]*\.cpp` \| `' CONTRIBUTING.md)
[ "$tour" -ge 5 ] || echo "CONTRIBUTING.md: the table of a step's files is missing" >>"$log"
report "tour" "$tour files of CONTRIBUTING.md define their names"

# Plain English: tools/words.txt lists rejected turns of phrase, and lines that may stay. A line is searched together with the one
# after it, because a phrase may cross the end of a line.
documents() { files '*.h' '*.cpp' '*.inl' '*.cu' '*.cuh' '*.py' '*.sh' '*.md' 'models/*.json' Makefile; }
words() { # "rejected" or "allowed": those lines of tools/words.txt, without their first word
    sed -n "s/^$1: *//p" tools/words.txt
}
allowed=$(words allowed | sed 's/^\([^ ]*\) \(.*\)/^\1:.*\2/' | paste -sd '|')
documents | xargs awk -f tools/prose.awk | grep -vP -- "$allowed" >"$prose"
words rejected | while IFS='~' read -r expression instead; do
    grep -iP -- "${expression% }" "$prose" | sed "s/\$/   <- write:$instead/"
done | sort -t: -k1,1 -k2,2n >"$log"
report "words" "$(documents | count), $(words rejected | wc -l | tr -d ' ') turns of phrase"

files '*.h' '*.cpp' '*.inl' '*.cu' '*.cuh' '*.py' '*.sh' Makefile | xargs wc -l | awk '$1 > 600 && $2 != "total" { print $2 ": " $1 " lines" }' >"$log"
report "length" "no file is longer than 600 lines"

files '*.png' '*.svg' '*.jpg' '*.jpeg' '*.JPG' | xargs cat | wc -c |
    awk '$1 > 3000000 { print "pictures take " $1 " bytes, more than 3,000,000: keep fewer or smaller ones" }' >"$log"
report "pictures" "less than 3 MB"

{ files '*.sh' && files '.ci/run'; } | while read -r script; do
    case $(head -n 1 "$script") in
    *bash) bash -n "$script" ;;
    *) sh -n "$script" ;;
    esac
done >"$log" 2>&1
report "scripts" "$(files '*.sh' '.ci/run' | count)"
exit $status
