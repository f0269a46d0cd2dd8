"""Types LINE and a tab into an interactive shell that has the completions of PROGRAM, and prints what the line is then.

press_tab.py bash|zsh|fish PROGRAM FOLDER LINE...

FOLDER is where the shell is. Each line is typed into a shell of its own. Exit status 77: no
such shell here.
"""

import os
import pathlib
import pty
import select
import shutil
import signal
import sys
import tempfile
import time

shell, program, folder, *lines = sys.argv[1:]
if not shutil.which(shell):
    print(f"{shell} is not installed", file=sys.stderr)
    sys.exit(77)

# The shell says that it waits for a line, and the key after the tab has it write down the line.
SETUPS = {
    "bash": """
source <({program} completions bash)
told() {{ printf '%s' "$READLINE_LINE" > {answer}.part; mv {answer}.part {answer}; }}
bind -x '"\\C-g": told'
PROMPT_COMMAND='touch {ready}'
""",
    "zsh": """
autoload -Uz compinit && compinit -u -D
source <({program} completions zsh)
told() {{ print -rn -- "$BUFFER" > {answer}.part; mv {answer}.part {answer} }}
zle -N told
bindkey '^I' complete-word
bindkey '^G' told
zle-line-init() {{ touch {ready} }}
zle -N zle-line-init
""",
    "fish": """
{program} completions fish | source
bind \\cg 'commandline | string collect > {answer}.part; mv {answer}.part {answer}'
function fish_greeting; end
function fish_prompt; touch {ready}; end
""",
}
STARTS = {
    "bash": lambda setup: ["bash", "--noprofile", "--rcfile", setup, "-i"],
    "zsh": lambda setup: ["zsh", "-i"],
    "fish": lambda setup: ["fish", "--private", "--init-command", f"source {setup}"],
}


def wait_for(file, terminal, limit_s=60):
    """Takes what the shell prints, which would otherwise wait, until it has written something to `file`."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end and not file.exists():
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                os.read(terminal, 65536)
            except OSError:
                return


def completed(line, scratch):
    answer = scratch / "answer"
    ready = scratch / "ready"
    setup = scratch / ".zshrc"  # the name that zsh insists on
    setup.write_text(SETUPS[shell].format(program=program, answer=answer, ready=ready))
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(HOME=str(scratch), ZDOTDIR=str(scratch), XDG_CONFIG_HOME=str(scratch), TERM="xterm",
                          PATH=f"{pathlib.Path(program).parent}:{os.environ['PATH']}", LC_ALL="C.UTF-8")
        os.execvp(shell, STARTS[shell](str(setup)))
    wait_for(ready, terminal)
    time.sleep(0.2)
    os.write(terminal, line.encode() + b"\t\a")
    wait_for(answer, terminal)
    os.close(terminal)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return answer.read_text().rstrip("\n") if answer.exists() else "no answer"


for line in lines:
    with tempfile.TemporaryDirectory() as scratch:
        print(completed(line, pathlib.Path(scratch)))
