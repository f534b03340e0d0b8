# Completion of publish for bash.

_publish() {
    local line=${COMP_LINE:0:COMP_POINT} current=${COMP_WORDS[COMP_CWORD]} IFS=$' \t\n'
    local -a words candidates
    read -ra words <<<"$line"
    case $line in *[[:space:]]) words+=('') ;; esac
    # bash also splits words at `=`, `:` and `@`, and replaces only the part after the last of them.
    case $current in = | : | @) current='' ;; esac
    local whole=${words[-1]}
    local before=${whole%"$current"}
    # What follows `@` may be a host name, so readline replaces the `@` too.
    before=${before%@}
    IFS=$'\n'
    candidates=($("${words[0]}" __complete "${words[@]:1}" 2>/dev/null))
    candidates=("${candidates[@]%%$'\t'*}")
    COMPREPLY=("${candidates[@]#"$before"}")
    case ${COMPREPLY[0]-} in *[=@]) [ ${#COMPREPLY[@]} != 1 ] || compopt -o nospace ;; esac
}

complete -o bashdefault -o default -F _publish publish
