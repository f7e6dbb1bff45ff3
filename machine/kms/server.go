package kms

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// KeySize is the size of a Sealer's key in bytes.
const KeySize = 32

// Sealer seals with AES-256-GCM under one key. What it sealed for one machine it does not unseal for another. A sealed value is
// a nonce of 12 bytes, the encrypted data and a tag of 16 bytes.
type Sealer struct{ aead cipher.AEAD }

// NewSealer makes a Sealer of a key in base64, as in a key file. The error is Invalid where it is none.
func NewSealer(text string) (*Sealer, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != KeySize {
		return nil, report.Errorf(report.Invalid, "not a key: %d random bytes in base64", KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead}, nil
}

// NewKey is a new key in base64.
func NewKey() string {
	key := make([]byte, KeySize)
	rand.Read(key) // does not fail
	return base64.StdEncoding.EncodeToString(key)
}

// Seal seals data for a machine.
func (s *Sealer) Seal(_ context.Context, q Request) ([]byte, error) {
	return s.aead.Seal(nil, nil, q.Data, []byte(q.NodeUUID)), nil
}

// Unseal is the reverse of Seal. A *StatusError says that the data was not sealed so.
func (s *Sealer) Unseal(_ context.Context, q Request) ([]byte, error) {
	data, err := s.aead.Open(nil, nil, q.Data, []byte(q.NodeUUID))
	if err != nil {
		return nil, &StatusError{PermissionDenied, "this was not sealed here for this machine"}
	}
	return data, nil
}

// Method answers a request. An error that is no *StatusError is told as one of code Internal.
type Method func(ctx context.Context, q Request) ([]byte, error)

// Server is the service, as an http.Handler for HTTP/2.
type Server struct {
	Seal, Unseal Method
	// Answered is called after each request, with its method and what became of it; nil is not called.
	Answered func(method string, q Request, err error)
}

// ServeHTTP follows http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ProtoMajor != 2 || !strings.HasPrefix(r.Header.Get("Content-Type"), contentType) {
		http.Error(w, "this is gRPC only", http.StatusUnsupportedMediaType)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, servicePath)
	q, answer, err := s.answer(r, name)
	if s.Answered != nil {
		s.Answered(name, q, err)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	if err == nil {
		w.Write(appendFrame(nil, answer)) // a client that has gone needs no answer
	}
	status := &StatusError{Code: OK}
	if err != nil && !errors.As(err, &status) {
		status = &StatusError{Internal, err.Error()}
	}
	w.Header().Set("Grpc-Status", strconv.Itoa(int(status.Code)))
	w.Header().Set("Grpc-Message", url.PathEscape(status.Message))
}

func (s *Server) answer(r *http.Request, name string) (q Request, answer []byte, err error) {
	method := map[string]Method{"Seal": s.Seal, "Unseal": s.Unseal}[name]
	if method == nil {
		return q, nil, &StatusError{Unimplemented, "unknown method " + name}
	}
	message, err := readFrame(r.Body)
	if err == nil {
		err = q.UnmarshalBinary(message)
	}
	if err != nil {
		return q, nil, &StatusError{InvalidArgument, err.Error()}
	}
	if q.NodeUUID == "" || len(q.Data) == 0 {
		return q, nil, &StatusError{InvalidArgument, "a request has a node_uuid and data"}
	}
	data, err := method(r.Context(), q)
	if err != nil {
		return q, nil, err
	}
	answer, err = Response{Data: data}.MarshalBinary()
	return q, answer, err
}
