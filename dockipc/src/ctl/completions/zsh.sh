#compdef __PROGRAM__
# Completion of __PROGRAM__ in zsh, below compinit:
#   source <(__PROGRAM__ completions zsh)
___WORD___complete() {
    # Names with an underscore, so that they hide no variable of the line.
    local _value _help _line="${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX"
    local -a _whole _open _typed=(${(z)LBUFFER})
    # $words lacks the assignments in front of the program's name.
    local -i _i=${_typed[(Ie)$words[1]]}
    while ((--_i > 0)) && [[ $_typed[_i] == [A-Za-z_]*=* ]]; do
        _line="$_typed[_i] $_line"
    done
    # The text that zsh expands is kept as typed.
    if [[ $PREFIX == ('~'*|*'$'*) ]]; then compset -P '*/'; fi
    while IFS=$'\t' read -r _value _help; do
        # A colon separates a value from its help.
        _help="${${_value//\\/\\\\}//:/\\:}${_help:+:${_help//\\/\\\\}}"
        if [[ $_value == *[=/] ]]; then
            _open+=("$_help")
        else
            _whole+=("$_help")
        fi
    done < <(___WORD___ask "$_line" "$PREFIX" 2>/dev/null)
    local _result=1
    if (($#_whole)) && _describe -V -t values value _whole; then _result=0; fi
    # The word continues: no blank follows.
    if (($#_open)) && _describe -V -t values value _open -S ''; then _result=0; fi
    return _result
}
# Prints the candidates for a line: a value, a tab and its help. The program needs the values of the
# variables in the line. Runs in a subshell.
___WORD___ask() {
    local _rest=$1
    while [[ $_rest =~ '\$\{?([A-Za-z_][A-Za-z_0-9]*)(.*)' ]]; do
        _rest=$match[2]
        if [[ -n ${(P)match[1]} ]]; then export $match[1]; fi
    done
    command __PROGRAM__ __complete -- "$@"
}
compdef ___WORD___complete __PROGRAM__
