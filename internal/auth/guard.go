package auth

import (
	"fmt"
)

// Guard knows the tokens of a controller. Without any, all is open. Once there are
// tokens of one kind, the other kind's calls are refused until there are tokens
// for them, too. The zero value is open; safe for concurrent use.
type Guard struct {
	Client *Tokens // with roles Read and Run; nil: none
	Agent  *Tokens // with role Agent; nil: none
}

// On reports whether tokens are asked for at all.
func (g *Guard) On() bool { return g != nil && (g.Client != nil || g.Agent != nil) }

// Refusal is why a call is not let through.
type Refusal struct {
	// Known is whether the token is one of the controller's; if so, it does not
	// allow the call.
	Known   bool
	Message string // a sentence
	Hint    string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

// Check returns nil when a token, which may be empty, allows what is demanded.
func (g *Guard) Check(demanded Role, token string) *Refusal {
	if demanded == Open || !g.On() {
		return nil
	}
	if token == "" {
		return missing(demanded)
	}
	role, found := g.Client.find(token)
	if !found {
		role, found = g.Agent.find(token)
	}
	switch {
	case !found:
		return wrong(demanded)
	case !role.includes(demanded):
		return g.tooLittle(role, demanded)
	}
	return nil
}

func missing(demanded Role) *Refusal {
	if demanded == Agent {
		return &Refusal{Message: "this controller asks agents for a token, and none was sent",
			Hint: "start the agent with --token-file FILE or STAMPEDE_AGENT_TOKEN; the controller's --agent-token-file holds the tokens"}
	}
	return &Refusal{Message: "this controller asks for a token, and none was sent",
		Hint: "give one with --token-file FILE or STAMPEDE_TOKEN, elsewhere as the header \"Authorization: Bearer TOKEN\""}
}

func wrong(demanded Role) *Refusal {
	file := "--client-token-file"
	if demanded == Agent {
		file = "--agent-token-file"
	}
	return &Refusal{Message: "the token is not one of this controller's",
		Hint: "the controller's " + file + " holds those it takes; after a rotation take the new one"}
}

// tooLittle is for a token that the controller knows.
func (g *Guard) tooLittle(role, demanded Role) *Refusal {
	r := &Refusal{Known: true, Message: fmt.Sprintf("the token is for role %s, and this call asks for role %s", role, demanded)}
	switch {
	case demanded == Agent && g.Agent == nil:
		r.Hint = "agents can join once the controller is started with --agent-token-file"
	case demanded == Agent:
		r.Hint = "agents need a token of the controller's --agent-token-file"
	case role == Agent:
		r.Hint = "agents' tokens open sessions and nothing else; take a token of the controller's --client-token-file"
	default:
		r.Hint = "take a token that stands alone or behind the word run in the controller's --client-token-file"
	}
	return r
}
