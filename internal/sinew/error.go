package sinew

import (
	"errors"
	"fmt"
	"strings"
)

// Code classifies an error for callers that must act on it: the HTTP server
// chooses a status from it, the CLI an exit code.
type Code string

// The error codes.
const (
	CodeInternal    Code = "internal"     // the default: details are logged, never shown
	CodeInvalid     Code = "invalid"      // the input is wrong; sending it again changes nothing
	CodeUnsupported Code = "unsupported"  // the input is well formed, and we cannot read its kind
	CodeTooLarge    Code = "too_large"    // a bound on memory, time or size was reached
	CodeNotFound    Code = "not_found"    // it does not exist, or the reader may not know that it does
	CodeConflict    Code = "conflict"     // the state forbids it; the message names what is in the way
	CodeUnauthn     Code = "unauthorized" // nobody is signed in, or the token is not valid
	CodeDenied      Code = "denied"       // signed in, and the role does not allow it
	CodeUnavailable Code = "unavailable"  // try again later
)

// Error is an error whose text is fit to show to a user: what is wrong, where,
// and what to do next.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`         // one sentence: what is wrong
	Where   string `json:"where,omitempty"` // file, and line, row or path inside it
	Next    string `json:"next,omitempty"`  // one sentence: what to do about it
	Err     error  `json:"-"`               // the cause, for logs
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Where != "" {
		b.WriteString(e.Where)
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Next != "" {
		b.WriteString(" (")
		b.WriteString(e.Next)
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an [Error] with the given code and message.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// At names the place of the fault: a file, and the line, row or path inside it.
func (e *Error) At(where string) *Error { e.Where = where; return e }

// Hint says what the user can do about it.
func (e *Error) Hint(format string, args ...any) *Error {
	e.Next = fmt.Sprintf(format, args...)
	return e
}

// CodeOf reports the code carried by err, or [CodeInternal] if it carries none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
