package target

// call is the state of a Call that its users don't see.
type call struct{}
