# Completion of __PROGRAM__ in bash:
#   eval "$(__PROGRAM__ completions bash)"
___WORD___complete() {
    local value help i
    local -a values=() helps=()
    # bash replaces $2, the part of the word after the last of COMP_WORDBREAKS.
    while IFS=$'\t' read -r value help; do
        values+=("$value")
        helps+=("$help")
    done < <(command __PROGRAM__ __complete -- "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
    COMPREPLY=()
    for value in "${values[@]}"; do
        # Escape as the open quote requires; bash closes it.
        case ${COMP_WORDS[COMP_CWORD]} in
        \'*) value=${value//\'/\'\\\'\'} ;;
        \"*)
            value=${value//\\/\\\\}
            value=${value//\"/\\\"}
            value=${value//\$/\\\$}
            value=${value//\`/\\\`}
            ;;
        *) printf -v value '%q' "$value" ;;
        esac
        COMPREPLY+=("$value")
    done
    if ((${#values[@]} == 1)); then
        [[ ${values[0]} == *[=/] ]] && compopt -o nospace
    elif ((COMP_TYPE == 63)); then
        # bash only lists the candidates: add their help.
        for i in "${!values[@]}"; do
            COMPREPLY[i]=${values[i]}${helps[i]:+  (${helps[i]})}
        done
    fi
}
complete -o nosort -F ___WORD___complete __PROGRAM__
