package main

import (
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// newJoinCommand prints how an agent joins; it contacts nobody.
func newJoinCommand(io streams) *cobra.Command {
	p := &protection{}
	addr, ca := defaultController, ""
	cmd := &cobra.Command{
		Use:   "join-command",
		Short: "Print how an agent joins a controller that has these flags",
		Example: `  stampede controller join-command --grpc-addr 0.0.0.0:50051 --agent-token-file agent.tokens --tls-cert cert.pem --tls-key key.pem
  stampede controller join-command --grpc-addr bench-0.internal:50051 --tls-ca ca.pem`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			line, err := p.join(addr, ca)
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
	p.add(fl)
	return cmd
}

// join is the command an agent is started with, behind what to bring along. No
// token is printed: a terminal is a log.
func (p *protection) join(addr, ca string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", usageError(fmt.Errorf("--grpc-addr %q: %w", addr, err), "give it as HOST:PORT")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return "", usageError(fmt.Errorf("--grpc-addr %s: the name of this host is not known: %w", addr, err), "give a name that agents can resolve")
		}
	}
	var b strings.Builder
	command := "stampede agent --controller " + net.JoinHostPort(host, port)
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

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}
