package simulate

// What became of a request.
const (
	StatusServed       = "served"       // the whole reply was written
	StatusRefused      = "refused"      // answered with an error, as it deserved
	StatusFaulted      = "faulted"      // a fault kept it from a whole reply
	StatusDisconnected = "disconnected" // the client left first
	StatusAborted      = "aborted"      // the server was stopped first
)

// Record is the account of one request to a completions route. Instants are Unix
// nanoseconds, 0 when they did not happen; the package comment says how they are
// taken. It is not changed once the request has ended.
type Record struct {
	ID      string `json:"id"` // X-Request-Id, as it came
	Attempt int    `json:"attempt"`
	// Connection counts connections from 1; Sequence this one's requests from 1.
	Connection int64  `json:"connection"`
	Sequence   int64  `json:"sequence"`
	Path       string `json:"path"`
	TLS        string `json:"tls,omitempty"`   // its version, such as "TLS 1.3"
	HTTP2      bool   `json:"http2,omitempty"` // by net/http, see the package comment
	Model      string `json:"model,omitempty"`
	Stream     bool   `json:"stream"`

	Arrival int64 `json:"arrival_unix_ns"`
	// Stamp is "kernel" or "process": where Arrival comes from.
	Stamp       string `json:"stamp"`
	Start       int64  `json:"start_unix_ns,omitempty"` // it got a slot
	FirstToken  int64  `json:"first_token_unix_ns,omitempty"`
	FirstOutput int64  `json:"first_output_unix_ns,omitempty"` // first content, after reasoning
	LastToken   int64  `json:"last_token_unix_ns,omitempty"`
	End         int64  `json:"end_unix_ns"`
	// FirstWriteNanos is how long the write call of the first token took.
	FirstWriteNanos int64 `json:"first_write_ns,omitempty"`
	// FirstDue is when the first token was due by the script.
	FirstDue int64 `json:"first_due_unix_ns,omitempty"`
	// LateMax is the longest that a token was written after it was due, ns.
	LateMax int64 `json:"late_max_ns,omitempty"`
	// TokenOffsets are written instants less Arrival, one per token, if they are
	// kept (Config.TokenTimes).
	TokenOffsets []int64 `json:"token_offsets_ns,omitempty"`

	InputTokens     int `json:"input_tokens"`
	OutputTokens    int `json:"output_tokens"` // written
	OutputAsked     int `json:"output_tokens_asked,omitempty"`
	ReasoningTokens int `json:"reasoning_tokens,omitempty"`
	CachedTokens    int `json:"cached_tokens,omitempty"`
	ToolTokens      int `json:"tool_tokens,omitempty"` // of OutputTokens, a tool call's
	Tools           int `json:"tools,omitempty"`       // offered
	// Images and Sounds came in messages; MediaTokens, of InputTokens, are theirs.
	Images      int `json:"images,omitempty"`
	Sounds      int `json:"sounds,omitempty"`
	MediaTokens int `json:"media_tokens,omitempty"`
	// Inputs are the texts of an embeddings request, or the documents of a rerank one.
	Inputs int `json:"inputs,omitempty"`
	Chunks int `json:"chunks"` // events that carried tokens
	Writes int `json:"writes"`
	// Blocked counts writes that had to wait for a client that read too slowly.
	Blocked  int   `json:"blocked,omitempty"`
	BytesIn  int64 `json:"bytes_in"`
	BytesOut int64 `json:"bytes_out"`

	HTTPStatus int    `json:"http_status"` // 0: none was sent
	Status     string `json:"status"`
	Fault      string `json:"fault,omitempty"`
	Error      string `json:"error,omitempty"` // why it was refused
	// PromptHash is the SHA-256 of roles and texts, BodyHash of the body as sent.
	PromptHash string `json:"prompt_hash,omitempty"`
	BodyHash   string `json:"body_hash"`
	// PromptBlocks are hashes of the prompt's beginnings, a block of words further
	// each, if they are kept (Config.AccountBlocks).
	PromptBlocks []string `json:"prompt_blocks,omitempty"`
}

// Summary counts over the server's life.
type Summary struct {
	Requests     int64 `json:"requests"` // to completions routes
	InFlight     int64 `json:"in_flight"`
	Waiting      int64 `json:"waiting"`
	MaxRunning   int64 `json:"max_running"`
	Served       int64 `json:"served"`
	Refused      int64 `json:"refused"`
	Faulted      int64 `json:"faulted"`
	Disconnected int64 `json:"disconnected"`
	Aborted      int64 `json:"aborted"`
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
	CachedTokens int64 `json:"cached_tokens"`

	// IDs is the number of different request ids; RepeatedIDs were seen more than
	// once, DuplicateAttempts counts requests whose id had already come with the
	// same attempt: served twice, where resends have another attempt.
	IDs               int64    `json:"ids"`
	WithoutID         int64    `json:"without_id"`
	RepeatedIDs       int64    `json:"repeated_ids"`
	DuplicateAttempts int64    `json:"duplicate_attempts"`
	Repeated          []string `json:"repeated,omitempty"` // the first few
	UntrackedIDs      int64    `json:"untracked_ids"`      // beyond what is remembered

	KernelStamped  int64            `json:"kernel_stamped"`
	Connections    int64            `json:"connections"`
	Open           int64            `json:"open_connections"`
	BadRequests    int64            `json:"bad_requests"` // not even HTTP
	OtherRequests  map[string]int64 `json:"other_requests,omitempty"`
	CacheResets    int64            `json:"cache_resets"`
	DroppedRecords int64            `json:"dropped_records"` // no longer in memory
	UnwrittenLines int64            `json:"unwritten_lines"` // missing in the file
}
