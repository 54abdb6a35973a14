# Prints "FILE:LINE: TEXT" for the prose in files: comments and strings of code, whole lines of documents. Strings of one word are
# omitted: they are keys and names. The prose of the next line follows each text. For tools/lint.sh.
function prose(line, hash,    out, string, c, i, quoted) {
    for (i = 1; i <= length(line); ++i) {
        c = substr(line, i, 1)
        if (quoted && c == "\\") {
            string = string " "
            ++i
        } else if (c == "\"") {
            if (quoted && string ~ /[^ ] +[^ ]/) out = out " " string
            string = ""
            quoted = !quoted
        } else if (!quoted && (hash ? c == "#" : substr(line, i, 2) == "//")) {
            return out " " substr(line, i)
        } else if (quoted) {
            string = string c
        }
    }
    return out
}
function continued(text) {
    sub(/^ *(\/\/|#|\*|-)? */, "", text)
    return text
}
FNR == 1 {
    docstring = 0
    document = FILENAME ~ /\.(md|txt)$/
    hash = FILENAME ~ /(\.py|\.sh|Makefile)$/
}
{
    marks = gsub(/"""/, "\"\"\"")
    text = document || docstring || marks ? $0 : prose($0, hash)
    if (marks % 2) docstring = !docstring
    if (hash) gsub(/\{[^}]*\}/, "", text)
    if (text !~ /[a-z]/) text = ""
    if (last != "") print place " " last " " (FNR > 1 ? continued(text) : "")
    last = text
    place = FILENAME ":" FNR ":"
}
END {
    if (last != "") print place " " last
}
