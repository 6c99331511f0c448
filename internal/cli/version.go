package cli

import (
	"runtime"
	"strings"

	"github.com/alecthomas/kong"
)

type versionCmd struct{}

func (versionCmd) Run(s *session) error {
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, map[string]string{"schema": "version/v1", "version": s.env.Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
	}
	s.printf("sinew %s (%s, %s/%s)\n", s.env.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return `Examples:
  source <(sinew completion bash)
  sinew completion fish > ~/.config/fish/completions/sinew.fish`
}

// The scripts hand the line to the hidden command `sinew complete`, which knows
// the commands, their flags and the filter language.
var completionScripts = map[string]string{
	"bash": `_sinew() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$(sinew complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -o nosort -F _sinew sinew
`,
	"zsh": `#compdef sinew
_sinew() {
  local -a words_
  words_=("${(@f)$(sinew complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a words_ || _files
}
compdef _sinew sinew
`,
	"fish": `complete -c sinew -a '(sinew complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
}

func (c *completionCmd) Run(s *session) error {
	s.printf("%s", completionScripts[c.Shell])
	return nil
}

// completeCmd prints what may follow; the last word is the one being typed.
type completeCmd struct {
	Words []string `arg:"" optional:""`
}

func (c *completeCmd) Run(s *session, k *kong.Kong) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	last := ""
	if len(words) > 0 {
		last, words = words[len(words)-1], words[:len(words)-1]
	}
	node := k.Model.Node
	filters := false
	for _, w := range words {
		filters = filters || w == "findings"
		for _, child := range node.Children {
			if child.Name == w {
				node = child
			}
		}
	}
	var out []string
	if strings.HasPrefix(last, "-") && !negation.MatchString(last) {
		for n := node; n != nil; n = n.Parent {
			for _, f := range n.Flags {
				if !f.Hidden {
					out = append(out, "--"+f.Name)
				}
			}
		}
	} else {
		for _, child := range node.Children {
			if !child.Hidden {
				out = append(out, child.Name)
			}
		}
		if filters {
			out = append(out, filterWords(last)...)
		}
	}
	for _, w := range out {
		if strings.HasPrefix(w, last) {
			s.printf("%s\n", w)
		}
	}
	return nil
}
