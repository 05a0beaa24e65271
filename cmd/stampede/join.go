package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// newJoinCommand prints how an agent joins; it contacts nobody.
func newJoinCommand(io streams) *cobra.Command {
	p := &protection{}
	addr, ca, host := defaultController, "", ""
	cmd := &cobra.Command{
		Use:   "join-command",
		Short: "Print how an agent joins a controller that has these flags",
		Example: `  stampede controller join-command --grpc-addr 0.0.0.0:50051 --agent-token-file agent.tokens --tls-cert cert.pem --tls-key key.pem
  stampede controller join-command --grpc-addr bench-0.internal:50051 --tls-ca ca.pem
  sh -c "$(stampede controller join-command --grpc-addr bench-0.internal:50051 --agent-token-file agent.tokens --tls-ca ca.pem --ssh load@rack-7)"`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			line, err := p.join(addr, ca)
			if host != "" {
				line, err = p.joinSSH(addr, ca, host)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(io.out, line)
			return err
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&addr, "grpc-addr", addr, "`ADDR` of the controller: what it listens on, or the name that agents know it by")
	fl.StringVar(&ca, "tls-ca", "", "`FILE` of the CA that signed the controller's certificate")
	fl.StringVar(&host, "ssh", "", "print one line that brings this binary, a token and the CA to `HOST` by ssh and runs an agent there, until it is interrupted")
	p.add(fl)
	return cmd
}

// join is the command an agent is started with, behind what to bring along. No
// token is printed: a terminal is a log.
func (p *protection) join(addr, ca string) (string, error) {
	at, err := reachable(addr)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	command := "stampede agent --controller " + at
	if p.agentTokens != "" || os.Getenv(envAgentTokens) != "" {
		fmt.Fprintf(&b, "# agent.token: a file (0600) with one of the tokens of %s\n", orWord(p.agentTokens, envAgentTokens))
		command += " --token-file agent.token"
	}
	if p.cert != "" || ca != "" || p.clientCA != "" {
		if ca != "" {
			fmt.Fprintf(&b, "# ca.pem: a copy of %s\n", ca)
		} else {
			fmt.Fprintf(&b, "# ca.pem: the CA that signed %s; say system when it is a public one\n", orWord(p.cert, "the controller's certificate"))
		}
		command += " --tls-ca ca.pem"
	}
	if p.clientCA != "" {
		fmt.Fprintf(&b, "# agent.pem, agent.key: a certificate signed by %s, and its key\n", p.clientCA)
		command += " --tls-cert agent.pem --tls-key agent.key"
	}
	return b.String() + command + "\n", nil
}

// reachable is how agents call the controller that listens on addr.
func reachable(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", usageError(fmt.Errorf("--grpc-addr: must be HOST:PORT, got %q", addr), "")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return "", usageError(fmt.Errorf("--grpc-addr %s: the name of this host is not known: %w", addr, err), "give a name that agents can resolve")
		}
	}
	return net.JoinHostPort(host, port), nil
}

// sshHost is what ssh takes for a host and what can't be taken for an option or
// for something of the shell.
var sshHost = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@:-]*$`)

// plainAddr is an address that a shell takes as one word, whoever made it up.
var plainAddr = regexp.MustCompile(`^[A-Za-z0-9_.:%\[\]-]+$`)

// joinSSH is one line for a POSIX shell on the controller's host. What the agent
// needs lies in ~/.stampede of the other host, readable by its user alone; the
// token goes through ssh's standard input and stands in no list of processes.
func (p *protection) joinSSH(addr, ca, host string) (string, error) {
	at, err := reachable(addr)
	if err != nil {
		return "", err
	}
	if !sshHost.MatchString(host) {
		return "", usageError(fmt.Errorf("--ssh %q: must be a host, user@host or an alias of ssh_config", host), "")
	}
	switch {
	case !plainAddr.MatchString(at):
		return "", usageError(fmt.Errorf("--grpc-addr %q: must be a host name or an address, and a port", at), "")
	case p.clientCA != "":
		return "", usageError(errors.New("--ssh does not bring certificates of agents along, which --tls-client-ca asks for"), "join-command without --ssh lists what to copy")
	case p.agentTokens == "" && os.Getenv(envAgentTokens) != "":
		return "", usageError(fmt.Errorf("--ssh takes the token from a file, not from %s", envAgentTokens), "give --agent-token-file")
	case p.cert != "" && ca == "":
		return "", usageError(errors.New("--ssh needs the CA that signed --tls-cert"), "give --tls-ca FILE, or --tls-ca system")
	}
	binary, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("the path of this binary is not known: %w", err)
	}
	bring := func(from, to string) string {
		return fmt.Sprintf("%s | ssh %s 'umask 077 && mkdir -p .stampede && cat > .stampede/%s.new && mv -f .stampede/%s.new .stampede/%s'", from, host, to, to, to)
	}
	steps := []string{bring("cat "+shellWord(binary), "stampede")}
	command := ".stampede/stampede agent --controller " + at
	if p.agentTokens != "" {
		// -m1 takes the first token of a file that may hold several.
		steps = append(steps, bring("grep -m1 '^[^#[:space:]]' "+shellWord(p.agentTokens), "agent.token"))
		command += " --token-file .stampede/agent.token"
	}
	switch ca {
	case "":
	case "system":
		command += " --tls-ca system"
	default:
		steps = append(steps, bring("cat "+shellWord(ca), "ca.pem"))
		command += " --tls-ca .stampede/ca.pem"
	}
	steps = append(steps, fmt.Sprintf("ssh -tt %s 'chmod 700 .stampede/stampede && exec %s'", host, command))
	return strings.Join(steps, " && ") + "\n", nil
}

// shellWord quotes a word for a POSIX shell.
func shellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}
