package target

import (
	"bytes"
	"errors"
)

const maxEvent = 16 << 20

var errEventLimit = errors.New("an event is larger than 16 MiB")

// sseEvent is one event of a stream. Its slices are valid until the next call of
// next or the end of the bytes that were fed.
type sseEvent struct {
	name []byte // empty: "message"
	data []byte // data lines joined by LF
}

// sse splits an event stream (WHATWG HTML, section 9.2) into events, from pieces
// of any size. An event with one data line that is whole in what is fed costs no
// copy. id and retry fields are read over: nothing here reconnects.
type sse struct {
	line   []byte // a line whose end has not come yet
	data   []byte // data of the event so far, once copied
	view   []byte // or its only line, still in what was fed
	name   []byte
	has    bool // the event has a data field
	skipLF bool // the last line ended in CR
	begun  bool // past a byte order mark
	total  int  // bytes of data of the event so far, with the ends of its lines
}

func (s *sse) reset() {
	*s = sse{line: s.line[:0], data: s.data[:0], name: s.name[:0]}
}

// next consumes bytes of p up to the end of one event, or all of them. ok tells
// that ev holds an event.
func (s *sse) next(p []byte) (n int, ev sseEvent, ok bool, err error) {
	for n < len(p) {
		if s.skipLF {
			s.skipLF = false
			if p[n] == '\n' {
				n++
				continue
			}
		}
		m, line, whole := s.takeLine(p[n:])
		n += m
		if !whole {
			break
		}
		if line = s.stripBOM(line); len(line) > 0 {
			s.field(line)
			s.line = s.line[:0]
			if s.total > maxEvent {
				return n, ev, false, errEventLimit
			}
			continue
		}
		if ev, ok = s.dispatch(); ok {
			return n, ev, true, nil
		}
	}
	if s.total+len(s.line) > maxEvent {
		return n, ev, false, errEventLimit
	}
	s.keep()
	return n, ev, false, nil
}

// eof returns the event that a clean end of the stream cut short of its blank
// line. The standard drops it; servers that end on "data: [DONE]" mean it.
func (s *sse) eof() (ev sseEvent, ok bool) {
	if len(s.line) > 0 {
		if line := s.stripBOM(s.line); len(line) > 0 {
			s.field(line)
		}
	}
	return s.dispatch()
}

// takeLine returns the next line of p, ended by LF, CR or CRLF. When p ends
// before the line does, its bytes are kept and whole is false.
func (s *sse) takeLine(p []byte) (n int, line []byte, whole bool) {
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		i = len(p)
	}
	if j := bytes.IndexByte(p[:i], '\r'); j >= 0 {
		i = j
		s.skipLF = true
	} else if i == len(p) {
		s.line = append(s.line, p...)
		return len(p), nil, false
	}
	line = p[:i]
	if len(s.line) > 0 {
		s.line = append(s.line, line...)
		line = s.line
	}
	return i + 1, line, true
}

func (s *sse) stripBOM(line []byte) []byte {
	if s.begun {
		return line
	}
	s.begun = true
	return bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
}

func (s *sse) field(line []byte) {
	if rest, ok := bytes.CutPrefix(line, []byte("data:")); ok {
		s.addData(trimSpace(rest))
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch string(name) {
	case "data":
		s.addData(value)
	case "event":
		s.name = append(s.name[:0], trimSpace(value)...)
	}
}

// trimSpace removes the one space that may follow a field's colon.
func trimSpace(p []byte) []byte {
	if len(p) > 0 && p[0] == ' ' {
		return p[1:]
	}
	return p
}

func (s *sse) addData(value []byte) {
	s.total += len(value) + 1 // its line feed
	if !s.has && len(s.line) == 0 {
		s.has, s.view = true, value // still in the caller's bytes
		return
	}
	s.keep()
	if s.has {
		s.data = append(s.data, '\n')
	}
	s.has = true
	s.data = append(s.data, value...)
}

// keep copies the one line that still lies in the caller's bytes.
func (s *sse) keep() {
	if s.view != nil {
		s.data = append(s.data[:0], s.view...)
		s.view = nil
	}
}

// dispatch ends the event. Without data there is none, by the standard.
func (s *sse) dispatch() (ev sseEvent, ok bool) {
	ev = sseEvent{name: s.name, data: s.data}
	if s.view != nil {
		ev.data = s.view
	}
	ok = s.has
	s.line, s.data, s.name = s.line[:0], s.data[:0], s.name[:0]
	s.view, s.has, s.total = nil, false, 0
	return ev, ok
}
