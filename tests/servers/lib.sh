# Functions shared by the scripts of the test bed. Sourced, after `dir` is set to the work folder of this run.
# shellcheck shell=bash disable=SC2154

say() { printf '%s\n' "tests/servers: $*" >&2; }

# The start time of a process in ticks: with its id, it identifies the process uniquely.
began() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The second field is the program's name, which may contain any characters.
    read -ra stat <<<"${stat##*) }"
    printf '%s\n' "${stat[19]}"
}

# launch NAME COMMAND...    starts a server as a session of its own; NAME is KIND or KIND.PART
launch() {
    local name=$1
    shift
    rm -f "$dir/pids/$name"
    # It records its own id, so that no running server is ever unrecorded. It is not a child of this shell, so that `wait`
    # does not wait for it.
    (setsid bash -c '
        file=$1 began=$2
        shift 2
        eval "$began"
        echo "$$ $(began $$)" >"$file" && exec "$@"
    ' launch "$dir/pids/$name" "$(declare -f began)" "$@" </dev/null >"$dir/log/$name.log" 2>&1 9>&- &)
    local i
    for ((i = 0; i < 400; i++)); do
        [ -s "$dir/pids/$name" ] && return
        sleep 0.05
    done
    say "$name was not started"
    return 1
}

alive() {
    local pid began
    read -r pid began <"$dir/pids/$1" && [ "$(began "$pid")" = "$began" ]
}

# eventually SECONDS KIND COMMAND...    until the command succeeds; fails if a process of that kind has died
eventually() {
    local end=$((SECONDS + $1)) kind=$2 file
    shift 2
    until "$@" >/dev/null 2>&1; do
        for file in "$dir/pids/$kind" "$dir/pids/$kind".*; do
            [ -e "$file" ] || continue
            alive "${file##*/}" || { say "${file##*/} died: $(tail -n 1 "$dir/log/${file##*/}.log")"; return 1; }
        done
        ((SECONDS < end)) || { say "no answer to: $*"; return 1; }
        sleep 0.1
    done
}

# Succeeds on any status below 500, with a short timeout.
answers() { curl -sS --max-time 5 -o /dev/null -w '%{http_code}' "$@" | grep -q '^[1-4]..$'; }

# stop NAME...    with all of its child processes; its data is discarded, so no clean shutdown is needed
stop() {
    local name pid began now
    for name in "$@"; do
        read -r pid began <"$dir/pids/$name" || continue
        now=$(began "$pid") || now=gone
        # The first process may have exited before its children, which still have its session id.
        if [ "$now" = "$began" ] || [ "$now" = gone ]; then
            kill -KILL -- "-$pid" 2>/dev/null || true
        fi
        rm -f "$dir/pids/$name"
    done
}

# offer NAME VALUE    sets a variable with the address of a server for the tests
offer() { printf 'export %s=%q\n' "$1" "$2" >>"$dir/env.$kind"; }
