#compdef publish
# Completion of publish for zsh.

_publish() {
    local -a lines shown
    local line
    lines=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -z "${lines[*]}" ]]; then
        _files
        return
    fi
    for line in "${lines[@]}"; do
        # A colon separates a word from its description.
        shown+=("${${line%%$'\t'*}//:/\\:}${${(M)line%%$'\t'*}:+:${line#*$'\t'}}")
    done
    _describe publish shown
}

if [[ "$funcstack[1]" = _publish ]]; then
    _publish "$@"
else
    compdef _publish publish
fi
