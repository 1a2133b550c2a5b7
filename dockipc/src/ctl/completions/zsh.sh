#compdef __PROGRAM__
# Completion of __PROGRAM__ in zsh, below compinit:
#   source <(__PROGRAM__ completions zsh)
___WORD___complete() {
    local value help line="${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX"
    local -a whole open
    while IFS=$'\t' read -r value help; do
        # A colon separates a value from its help.
        help="${${value//\\/\\\\}//:/\\:}${help:+:$help}"
        if [[ $value == *[=/] ]]; then
            open+=("$help")
        else
            whole+=("$help")
        fi
    done < <(command __PROGRAM__ __complete -- "$line" 2>/dev/null)
    local result=1
    (($#whole)) && _describe -V -t values value whole && result=0
    # The word continues: no blank follows.
    (($#open)) && _describe -V -t values value open -S '' && result=0
    return result
}
compdef ___WORD___complete __PROGRAM__
