// Package kms is the protocol in which a machine lets a service in the network seal and unseal the keys of its disks, so that
// a disk is of no use away from that network: gRPC's service sidero.kms.KMSService with the unary methods Seal and Unseal.
//
//	message Request  { string node_uuid = 1; bytes data = 2; }
//	message Response { bytes data = 1; }
//
// Client and Server are this protocol over net/http; a message is two fields, which needs no library. Left out of gRPC
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): compression, streams, metadata, details of errors.
package kms

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Request asks for Data to be sealed or unsealed for a machine.
type Request struct {
	NodeUUID string
	Data     []byte
}

// Response has the sealed or unsealed data.
type Response struct {
	Data []byte
}

// MarshalBinary encodes r (https://protobuf.dev/programming-guides/encoding).
func (r Request) MarshalBinary() ([]byte, error) {
	return appendField(appendField(nil, 1, []byte(r.NodeUUID)), 2, r.Data), nil
}

// UnmarshalBinary decodes p. Unknown fields are passed over.
func (r *Request) UnmarshalBinary(p []byte) error {
	return fields(p, func(number uint64, value []byte) {
		switch number {
		case 1:
			r.NodeUUID = string(value)
		case 2:
			r.Data = value
		}
	})
}

// MarshalBinary encodes r.
func (r Response) MarshalBinary() ([]byte, error) { return appendField(nil, 1, r.Data), nil }

// UnmarshalBinary decodes p. Unknown fields are passed over.
func (r *Response) UnmarshalBinary(p []byte) error {
	return fields(p, func(number uint64, value []byte) {
		if number == 1 {
			r.Data = value
		}
	})
}

// Wire types of fields.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// appendField appends a field of bytes; an empty one is left out.
func appendField(p []byte, number uint64, value []byte) []byte {
	if len(value) == 0 {
		return p
	}
	p = binary.AppendUvarint(p, number<<3|wireBytes)
	p = binary.AppendUvarint(p, uint64(len(value)))
	return append(p, value...)
}

var errCut = errors.New("kms: a message that is cut off")

// fields calls each with every field of bytes in p.
func fields(p []byte, each func(number uint64, value []byte)) error {
	for len(p) > 0 {
		key, n := binary.Uvarint(p)
		if n <= 0 {
			return errCut
		}
		p = p[n:]
		length, number := uint64(0), key>>3
		switch key & 7 {
		case wireVarint:
			_, n := binary.Uvarint(p)
			length = uint64(max(n, 0))
			if n <= 0 {
				return errCut
			}
		case wire64:
			length = 8
		case wire32:
			length = 4
		case wireBytes:
			if length, n = binary.Uvarint(p); n <= 0 {
				return errCut
			}
			p = p[n:]
		default:
			return fmt.Errorf("kms: field %d has the wire type %d", number, key&7)
		}
		if length > uint64(len(p)) {
			return errCut
		}
		if key&7 == wireBytes {
			each(number, p[:length:length])
		}
		p = p[length:]
	}
	return nil
}

// maxMessage is far more than a message has, and what gRPC takes by default is 64 times as much.
const maxMessage = 64 << 10

// appendFrame is a message as gRPC has it in a body: a byte that says whether it is compressed, and its length.
func appendFrame(p, message []byte) []byte {
	p = binary.BigEndian.AppendUint32(append(p, 0), uint32(len(message)))
	return append(p, message...)
}

// readFrame reads the only message of a body. io.EOF is that there is none.
func readFrame(r io.Reader) ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	switch {
	case head[0] != 0:
		return nil, errors.New("kms: a compressed message")
	case n > maxMessage:
		return nil, fmt.Errorf("kms: a message of %d bytes", n)
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(r, p); err != nil {
		return nil, errCut
	}
	if extra, _ := io.CopyN(io.Discard, r, math.MaxUint16); extra > 0 {
		return nil, errors.New("kms: more than one message")
	}
	return p, nil
}
