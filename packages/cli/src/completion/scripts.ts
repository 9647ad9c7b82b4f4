/** The script for each shell. It asks the command itself for the words, so it never becomes old. */
export const SCRIPTS = {
  bash: `# Completion of wfe-containerd for bash.
_wfe_containerd() {
  local line=\${COMP_LINE:0:COMP_POINT} word current kept
  local -a words
  # COMP_WORDS has names of images in pieces: bash takes a colon for the end of a word.
  read -ra words <<<"$line"
  if [[ $line == *[[:space:]] ]]; then words+=(""); fi
  current=\${words[\${#words[@]}-1]}
  # bash replaces only what stands behind the last such sign.
  kept=\${current%"\${current##*[$(_wfe_containerd_breaks)]}"}
  COMPREPLY=()
  while IFS=$'\\t' read -r word _; do
    COMPREPLY+=("\${word#"$kept"}")
  done < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
}
# The signs of COMP_WORDBREAKS that stand in our words. The blank stands in none.
_wfe_containerd_breaks() {
  local breaks=" "
  if [[ $COMP_WORDBREAKS == *:* ]]; then breaks+=:; fi
  if [[ $COMP_WORDBREAKS == *=* ]]; then breaks+==; fi
  printf %s "$breaks"
}
complete -o default -F _wfe_containerd wfe-containerd
`,
  zsh: `#compdef wfe-containerd
# Completion of wfe-containerd for zsh.
_wfe_containerd() {
  local -a found
  local word description
  while IFS=$'\\t' read -r word description; do
    # A colon without a description behind it would be shown as an empty one.
    found+=("\${word//:/\\\\:}\${description:+:$description}")
  done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then _describe 'wfe-containerd' found; else _files; fi
}
if [ "$funcstack[1]" = "_wfe_containerd" ]; then _wfe_containerd "$@"; else compdef _wfe_containerd wfe-containerd; fi
`,
  fish: `# Completion of wfe-containerd for fish.
function __wfe_containerd_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c wfe-containerd -f -a '(__wfe_containerd_complete)'
`,
} as const;
