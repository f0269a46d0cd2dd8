#include "app/cli/completion.h"
#include "core/expects.h"

// Each script passes the words up to the cursor to `spillway complete` and offers the output: on each line a
// word and its meaning, and the line `:files` or `:folders` if paths fit too.
namespace spillway {
namespace {

constexpr std::string_view kBash =
    R"sh(# bash completion of spillway and replay: the program itself knows what may follow.
_spillway() {
  # Bash splits words at = and :, but the program does not.
  local words=() word rest=$COMP_LINE i
  for ((i = 0; i <= COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if ((i == 0)) || [[ $rest == [[:space:]]* ]]; then
      rest=${rest#"${rest%%[![:space:]]*}"}
      words+=("$word")
    else
      words[-1]+=$word
    fi
    rest=${rest#"$word"}
  done
  local program=${words[0]/#\~/$HOME} current=${words[-1]}
  words=("${words[@]:1}")
  if [[ ${program##*/} == replay ]]; then
    program=${program%replay}spillway
    words=(replay "${words[@]}")
  fi

  # Bash replaces only the part after the last cut.
  local piece=${COMP_WORDS[COMP_CWORD]}
  [[ -n ${piece//[=:]/} ]] || piece=
  local kept=${current%"$piece"}

  COMPREPLY=()
  local meaning paths=
  while IFS=$'\t' read -r word meaning; do
    case $word in
      :files | :folders) paths=$word ;;
      *) COMPREPLY+=("${word#"$kept"}") ;;
    esac
  done < <("$program" complete -- "${words[@]}" 2>/dev/null)
  if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *= ]]; then
    compopt -o nospace
  elif ((${#COMPREPLY[@]} == 0)) && [[ $paths == :folders ]]; then
    compopt -o dirnames
  elif ((${#COMPREPLY[@]} == 0)) && [[ $paths == :files ]]; then
    compopt -o default
  fi
}
complete -F _spillway spillway replay
)sh";

constexpr std::string_view kZsh = R"sh(#compdef spillway replay
# zsh completion of spillway and replay: the program itself knows what may follow.
_spillway() {
  local program=${${(Q)words[1]}/#\~/$HOME} word meaning paths=
  local -a asked complete complete_shown open open_shown
  asked=("${(@Q)words[2,CURRENT-1]}" "$PREFIX")
  if [[ ${program:t} == replay ]]; then
    program=${program%replay}spillway
    asked=(replay "${asked[@]}")
  fi
  while IFS=$'\t' read -r word meaning; do
    case $word in
      :files|:folders) paths=$word ;;
      *=) open+=("$word"); open_shown+=("$word${meaning:+  -- $meaning}") ;;
      *) complete+=("$word"); complete_shown+=("$word${meaning:+  -- $meaning}") ;;
    esac
  done < <("$program" complete -- "${asked[@]}" 2>/dev/null)
  local found=1
  (( $#open )) && compadd -S '' -l -d open_shown -a open && found=0
  (( $#complete )) && compadd -l -d complete_shown -a complete && found=0
  if [[ -n $paths ]]; then
    compset -P '--[^=]##='
    compset -P '*,'
    case $paths in
      :files) _files && found=0 ;;
      :folders) _files -/ && found=0 ;;
    esac
  fi
  return found
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _spillway "$@"
else
  compdef _spillway spillway replay
fi
)sh";

constexpr std::string_view kFish =
    R"sh(# fish completion of spillway and replay: the program itself knows what may follow.
function __spillway_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l option (string match -r '^--[^=]*=|' -- "$current")
    set -l value (string sub -s (math (string length -- "$option") + 1) -- "$current")
    if string match -qr '(^|/)replay$' -- $program
        set program (string replace -r 'replay$' spillway -- $program)
        set -p words replay
    end
    for line in ($program complete -- $words "$current" 2>/dev/null)
        switch $line
            case :files
                printf '%s\n' "$option"(__fish_complete_path "$value")
            case :folders
                printf '%s\n' "$option"(__fish_complete_directories "$value" '')
            case '*'
                echo $line
        end
    end
end
complete -c spillway -f -a '(__spillway_complete)'
complete -c replay -f -a '(__spillway_complete)'
)sh";

}  // namespace

std::string_view completion_script(std::string_view shell) {
  Expects(shell == "bash" || shell == "zsh" || shell == "fish");
  return shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish;
}

}  // namespace spillway
