# Completion of publish for fish.

function __publish_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found ($words[1] __complete $words[2..-1] $current 2>/dev/null)
    if test (count $found) -eq 0
        __fish_complete_path $current
    else
        printf '%s\n' $found
    end
end

complete -c publish -f -a '(__publish_complete)'
