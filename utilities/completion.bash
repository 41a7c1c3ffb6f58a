# Completion of the tools' command lines for bash.
#
# What there is to say comes from the programs: asked with WEFT_DESCRIBE in the environment, each prints the tables by
# which it reads its arguments (src/sys/cmdline.h); names of bridges, ports, tables, records and control commands come
# from the daemons, within a second or not at all.
# Names are what others chose: they are never expanded, and what the shell would take for its own is quoted.
# shellcheck shell=bash

# The bridges; the ports of those among the words, or of all; and so on.  $1: placeholder in capitals; $2...: the words
# before.
_weft_values() {
    local what=$1 word bridges
    shift
    case $what in
    SWITCH | BRIDGE | BR | SOURCE[12] | PARENT)
        ovs-vsctl -t 1 list-br ;;
    FLOW-TABLE)
        ovs-vsctl -t 1 --bare --columns=name list Flow_Table ;;
    PORT | IFACE | NETDEV | BOND | 'PORT|IFACE' | QUEUE-PORT)
        bridges=$(ovs-vsctl -t 1 list-br)
        for word; do
            if grep -qxF -- "$word" <<<"$bridges"; then bridges=$word; fi
        done
        for word in $bridges; do
            ovs-vsctl -t 1 list-ports "$word"
            if [ "$what" = IFACE ]; then ovs-vsctl -t 1 list-ifaces "$word"; fi
        done | sort -u ;;
    DATAPATH | DP)
        ovs-appctl -T 1 dpctl/dump-dps ;;
    DATABASE)
        ovsdb-client -t 1 list-dbs ;;
    TABLE)
        ovsdb-client -t 1 --format=csv --no-headings list-tables ;;
    RECORD)
        for word; do :; done # The last one is the table.
        ovs-vsctl -t 1 --bare --columns=name list "$word" ;;
    COLUMN*)
        for word in "$@"; do
            ovsdb-client -t 1 --format=csv --no-headings list-columns Open_vSwitch "$word" | cut -d, -f1
        done ;;
    TYPE-OF-CERTIFICATE)
        printf '%s\n' switch controller ;;
    esac 2>/dev/null
}

# The same for vtep-ctl, whose names are in another database.
_weft_vtep_values() {
    local what=$1 word
    shift
    case $what in
    PSWITCH)
        vtep-ctl -t 1 list-ps ;;
    LSWITCH)
        vtep-ctl -t 1 list-ls ;;
    LROUTER)
        vtep-ctl -t 1 list-lr ;;
    PORT)
        vtep-ctl -t 1 list-ports "$1" ;;
    TABLE)
        ovsdb-client -t 1 --format=csv --no-headings list-tables hardware_vtep ;;
    RECORD)
        for word; do :; done # The last one is the table.
        vtep-ctl -t 1 --bare --columns=name list "$word" ;;
    COLUMN*)
        for word in "$@"; do
            ovsdb-client -t 1 --format=csv --no-headings list-columns hardware_vtep "$word" | cut -d, -f1
        done ;;
    esac 2>/dev/null
}

# The placeholders that the argument number $1 may stand for: those of the usage $2..., where '[' and '?' mark what may
# be left out, and the last may be repeated.
_weft_placeholders() {
    local at=$1 i=0 left_out=0 word=
    shift
    for word; do
        case $word in '['* | '?'* | '*'*) left_out=$((left_out + 1)) ;; esac
        if [ "$i" -ge "$at" ] && [ $((i - left_out)) -le "$at" ]; then _weft_name "$word"; fi
        i=$((i + 1))
    done
    case $word in *... | *...']' | '*'* | '+'*) if [ "$at" -ge "$i" ]; then _weft_name "$word"; fi ;; esac
}

_weft_name() {
    local name=${1//[\[\].!+*]/}
    name=${name#\?}
    echo "${name^^}"
}

# The words of the command that is being written go to $words: behind the last "--", without options.
_weft_command_words() {
    local word skip=
    words=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ $word = [=:] ]]; then
            skip=1 # bash takes "--db=unix:SOCKET" apart.
        elif [ -n "$skip" ]; then
            skip=
        elif [ "$word" = -- ]; then
            words=()
        elif [[ $word = -* ]]; then
            if [[ $word != *=* ]] && grep -qxF -- "option $word=" <<<"$table"; then skip=1; fi
            last_option=$word
        else
            words+=("$word")
        fi
    done
    is_argument=$skip
}

_weft_complete() {
    local current=${COMP_WORDS[COMP_CWORD]} table words is_argument last_option line found=()
    COMPREPLY=()
    table=$(WEFT_DESCRIBE=1 "$1" --help 2>/dev/null </dev/null)
    _weft_command_words
    if [ -n "$is_argument" ]; then
        case ${1##*/},$last_option in
        ovs-appctl,-t | ovs-appctl,--target) found=(ovs-vswitchd ovsdb-server) ;;
        *) mapfile -t found < <(_weft_words "$last_option") ;;
        esac
        case $current in
        =) current= ;;
        :) found=() ;; # Behind a method: what is next is a file or a host.
        esac
        compopt -o default 2>/dev/null
    elif [[ $current = -* ]]; then
        mapfile -t found < <(sed -n 's/^option \(--[^=]*=\{0,1\}\)?*$/\1/p
                                     s/^command [^,]*,\([^,]*\),.*/\1/p' <<<"$table" | tr ' ' '\n' | sort -u)
        case " ${found[*]} " in *" $current"*=" "*) compopt -o nospace 2>/dev/null ;; esac
    elif [ ${#words[@]} -eq 0 ]; then
        mapfile -t found < <(sed -n 's/^command \([^,]*\),.*/\1/p' <<<"$table"; _weft_words ARGUMENT)
        if [ "${1##*/}" = ovs-appctl ]; then mapfile -t found < <(_weft_control_commands "$1"); fi
    else
        line=$(grep -F -- "command ${words[0]}," <<<"$table" | head -n 1)
        mapfile -t found < <(_weft_arguments "$1" "${line#*,*,}")
        if ! grep -q '^command ' <<<"$table"; then mapfile -t found < <(_weft_words ARGUMENT); fi
    fi
    if [ ${#found[@]} -eq 0 ]; then
        compopt -o default 2>/dev/null
    else
        for line in "${found[@]}"; do
            if [[ $line = "$current"* && -n $line ]]; then COMPREPLY+=("$(_weft_quote "$line")"); fi
        done
        case "${COMPREPLY[*]}" in *:) compopt -o nospace 2>/dev/null ;; esac
    fi
}

_weft_quote() {
    case $1 in
    *[!a-zA-Z0-9_./:=,@%+-]*) printf '%q' "$1" ;;
    *) printf '%s' "$1" ;;
    esac
}

# What the program's tables say that an option or a placeholder $1 may be.
_weft_words() {
    local line
    while IFS= read -r line; do
        if [[ $line = "words $1 "* ]]; then tr ' ' '\n' <<<"${line#"words $1 "}"; fi
    done <<<"$table"
}

# Values for the argument that comes next, of the program $1, by the usage $2.
_weft_arguments() {
    local usage what values=_weft_values
    if [ "${1##*/}" = vtep-ctl ]; then values=_weft_vtep_values; fi
    read -ra usage <<<"$2"
    for what in $(_weft_placeholders $((${#words[@]} - 1)) "${usage[@]}"); do
        "$values" "$what" "${words[@]:1}"
        _weft_words "$what"
    done | sort -u
}

# The control commands of the program that "-t" names on the line.
_weft_control_commands() {
    local word previous='' target=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $previous in -t | --target) target=(-t "$word") ;; esac
        previous=$word
    done
    "$1" -T 1 "${target[@]}" list-commands 2>/dev/null | sed -n '2,$s/^ *\([^ ]*\).*/\1/p'
}

complete -F _weft_complete ovs-vsctl vtep-ctl ovs-ofctl ovs-dpctl ovs-appctl ovsdb-client ovsdb-tool \
    ovs-testcontroller ovs-pcap ovs-tcpundump ovs-pki ovs-tcpdump ovs-dpctl-top ovs-ctl
