# Completion of __PROGRAM__ in bash:
#   eval "$(__PROGRAM__ completions bash)"
___WORD___complete() {
    # Names with an underscore, so that they hide no variable of the line.
    local _line=${COMP_LINE:0:COMP_POINT} _part=$2 _kept= _quote _value _help _i
    local -a _values=() _helps=()
    # bash replaces $2, which begins after an open quote or the last of COMP_WORDBREAKS.
    _quote=${_line%"$_part"}
    # The text that bash expands is kept as typed.
    case $_part in
    '~'*/* | *'$'*/*)
        _kept=${_part%"${_part##*/}"}
        _part=${_part##*/}
        ;;
    esac
    while IFS=$'\t' read -r _value _help; do
        _values+=("$_value")
        _helps+=("$_help")
    done < <(___WORD___ask "$_line" "$_part" 2>/dev/null)
    COMPREPLY=()
    for ((_i = 0; _i < ${#_values[@]}; _i++)); do
        _value=${_values[_i]}
        # Escape as the open quote requires; bash closes it.
        case $_quote in
        *\') _value=${_value//\'/\'\\\'\'} ;;
        *\")
            _value=${_value//\\/\\\\}
            _value=${_value//\"/\\\"}
            _value=${_value//\$/\\\$}
            _value=${_value//\`/\\\`}
            ;;
        *) printf -v _value '%q' "$_value" ;;
        esac
        COMPREPLY+=("$_kept$_value")
    done
    if ((${#_values[@]} == 1)); then
        if [[ ${_values[0]} == *[=/] ]]; then compopt -o nospace; fi
    elif ((COMP_TYPE == 63)); then
        # bash only lists the candidates: add their help.
        for ((_i = 0; _i < ${#_values[@]}; _i++)); do
            COMPREPLY[_i]=${_values[_i]}${_helps[_i]:+  (${_helps[_i]})}
        done
    fi
}
# Prints the candidates for a line: a value, a tab and its help. The program needs the values of the
# variables in the line. Runs in a subshell.
___WORD___ask() {
    local _rest=$1 _variable='\$\{?([A-Za-z_][A-Za-z_0-9]*)(.*)'
    while [[ $_rest =~ $_variable ]]; do
        _rest=${BASH_REMATCH[2]}
        export "${BASH_REMATCH[1]}"
    done
    command __PROGRAM__ __complete -- "$@"
}
# nosort needs bash 4.4.
complete -o nosort -F ___WORD___complete __PROGRAM__ 2>/dev/null ||
    complete -F ___WORD___complete __PROGRAM__
