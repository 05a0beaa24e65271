// Package docs runs what the pages say: every command of a page that is listed
// in pages_test.go is run as it is printed, against real processes, in a network
// of its own, so that the ports are those of the page. It has no opinion on
// prose, and it measures nothing.
//
// A page is a session: its blocks share one shell, its folder, its variables and
// the servers it has started. What becomes of a fenced block stands behind its
// language:
//
//	```sh             is run by bash; each of its commands must succeed
//	```sh exit=4      ends with that status instead
//	```sh fresh       is run after all servers of the page were ended
//	```sh model=8001  is run with a simulated model server on that port
//	```sh needs=helm  is run where there is such a program
//	```sh not-run     is not run; the paragraph before it must say so to the
//	                  reader, beginning with "Not run by the tests:"
//	```go             is a whole program and is run; not-run applies, too
//	```output         is what the block before has printed, line by line among
//	                  others; … stands for anything
//
// Blocks in other languages are data. A block without a language is an error,
// since nobody could tell whether it was run.
//
// In the session stampede is the binary under test behind a small script:
// controller, agent and simulate return when they are ready, as if each had a
// terminal of its own; a verdict that is not valid (exit status 3) passes, and so does
// a doctor that finds nothing but timers unfit, because machines that run tests are
// busy. The folder holds a copy of examples/ whose
// loads last two seconds, and one of deploy/; on a page whose loads are too long to
// wait for, --duration and --warmup are a second. make only checks that its targets
// exist; go has the module before it wherever the session is.
package docs
