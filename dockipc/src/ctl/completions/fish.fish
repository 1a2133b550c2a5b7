# Completion of __PROGRAM__ in fish:
#   __PROGRAM__ completions fish | source
function ___WORD___complete
    set -l _line (commandline -cp | string collect)
    set -l _part (commandline -ct | string collect)
    # The text that fish expands is kept as typed.
    set -l _kept
    if string match -qr '^~.*/|\$.*/' -- $_part
        set _kept (string replace -r '[^/]*$' '' -- $_part | string replace -ar '["\\\\]' '')
        set _part (string replace -r '.*/' '' -- $_part)
    end
    # The program needs the values of the variables in the line.
    set -l _variables
    for _name in (string match -ar '\$\K[A-Za-z_][A-Za-z_0-9]*' -- $_line)
        set -q $_name; and set -a _variables "$_name=$$_name"
    end
    for _value in (command env $_variables __PROGRAM__ __complete -- $_line $_part 2>/dev/null)
        printf '%s\n' "$_kept$_value"
    end
end
complete -c __PROGRAM__ -f -k -a '(___WORD___complete)'
