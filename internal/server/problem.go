package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/sinew"
)

// Problem is how an error leaves the API: RFC 9457 problem details, with the
// code, place and next step of a [sinew.Error].
type Problem struct {
	Title     string     `json:"title" example:"Bad Request" doc:"The status in words"`
	Status    int        `json:"status" example:"400" doc:"The HTTP status"`
	Detail    string     `json:"detail" example:"there is no field \"severty\"" doc:"What is wrong, in one sentence"`
	Code      sinew.Code `json:"code" example:"invalid" doc:"What kind of error it is; programs decide by this"`
	Where     string     `json:"where,omitempty" example:"filter, character 1" doc:"The place of the fault"`
	Next      string     `json:"next,omitempty" example:"did you mean severity: ?" doc:"What to do about it, in one sentence"`
	RequestID string     `json:"request_id" doc:"Names the request in the server's log"`
	Errors    []Fault    `json:"errors,omitempty" doc:"The single faults of a request that does not fit its schema"`

	retry time.Duration
}

// Fault is one value of a request that does not fit its schema.
type Fault struct {
	Where   string `json:"where" example:"query.limit" doc:"The parameter, or the path in the body"`
	Message string `json:"message" doc:"What is expected"`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus implements [huma.StatusError].
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements [huma.HeadersError].
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="sinew"`)
	}
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(p.retry/time.Second)))
	}
	return h
}

// ContentType implements [huma.ContentTypeFilter].
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// status is the one switch from an error's code to an HTTP status.
func status(code sinew.Code) int {
	switch code {
	case sinew.CodeInvalid:
		return http.StatusBadRequest
	case sinew.CodeUnsupported:
		return http.StatusUnsupportedMediaType
	case sinew.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case sinew.CodeNotFound:
		return http.StatusNotFound
	case sinew.CodeConflict:
		return http.StatusConflict
	case sinew.CodeUnauthn:
		return http.StatusUnauthorized
	case sinew.CodeDenied:
		return http.StatusForbidden
	case sinew.CodeUnavailable:
		return http.StatusServiceUnavailable
	case sinew.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// codeOf is the code of an error that huma made for a status of its own.
func codeOf(httpStatus int) sinew.Code {
	switch httpStatus {
	case http.StatusRequestEntityTooLarge:
		return sinew.CodeTooLarge
	case http.StatusRequestTimeout:
		return sinew.CodeUnavailable
	case http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		return sinew.CodeUnsupported
	}
	if httpStatus >= 500 {
		return sinew.CodeInternal
	}
	return sinew.CodeInvalid
}

// problem turns an error into what the sender is told. The text of an error
// without a code is for the log only.
func problem(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	p := &Problem{Code: sinew.CodeOf(err), RequestID: requestID(ctx), Detail: "something went wrong here"}
	if e, ok := errors.AsType[*sinew.Error](err); ok && e.Code != sinew.CodeInternal {
		p.Detail, p.Where, p.Next = e.Message, e.Where, e.Next
	}
	big, isBig := errors.AsType[*http.MaxBytesError](err)
	wait, waits := errors.AsType[auth.Wait](err)
	switch {
	case isBig:
		p.Code, p.Detail = sinew.CodeTooLarge, fmt.Sprintf("the request is larger than %d bytes", big.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded) && p.Code == sinew.CodeInternal:
		p.Code, p.Detail, p.Next = sinew.CodeUnavailable, "the request stopped coming", "send it again"
	case errors.Is(err, context.DeadlineExceeded) && p.Code == sinew.CodeInternal:
		p.Code, p.Detail, p.Next = sinew.CodeUnavailable, "this took too long", "ask for less, or try again later"
	}
	p.Status = status(p.Code)
	if waits {
		p.Status, p.retry = http.StatusTooManyRequests, time.Duration(wait)
	}
	if p.Code == sinew.CodeInternal {
		p.Next = "look for the request id in the server's log"
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// useProblems makes huma speak of its own errors as we do of ours. Huma offers
// no other place than these two variables.
var useProblems = sync.OnceFunc(func() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return humaProblem(context.Background(), status, msg, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return humaProblem(ctx.Context(), status, msg, errs)
	}
})

func humaProblem(ctx context.Context, httpStatus int, msg string, errs []error) *Problem {
	for _, err := range errs {
		if _, ours := errors.AsType[*sinew.Error](err); ours || httpStatus == http.StatusInternalServerError {
			p := problem(ctx, err)
			report(ctx, p, err)
			return p
		}
	}
	code := codeOf(httpStatus)
	p := &Problem{Code: code, Status: status(code), Detail: msg, RequestID: requestID(ctx)}
	p.Title = http.StatusText(p.Status)
	for _, err := range errs {
		f := Fault{Message: err.Error()}
		if d, ok := err.(huma.ErrorDetailer); ok {
			f.Where, f.Message = d.ErrorDetail().Location, d.ErrorDetail().Message
		}
		p.Errors = append(p.Errors, f)
	}
	if len(p.Errors) > 0 {
		p.Detail = "the request does not fit its schema: " + p.Errors[0].Message
		p.Where = p.Errors[0].Where
		p.Next = "see /api/v1/openapi.json"
	}
	p.Detail = strings.ToLower(p.Detail[:min(1, len(p.Detail))]) + p.Detail[min(1, len(p.Detail)):]
	return p
}
