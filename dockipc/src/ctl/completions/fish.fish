# Completion of __PROGRAM__ in fish:
#   __PROGRAM__ completions fish | source
function ___WORD___complete
    command __PROGRAM__ __complete -- (commandline -cp | string collect) 2>/dev/null
end
complete -c __PROGRAM__ -f -k -a '(___WORD___complete)'
