// Package sntp asks a server for the time: the client of RFC 5905, section 14 (SNTP) with the checks of its appendix A.5.
//
// What it sends tells nothing of the machine (draft-ietf-ntp-data-minimization): the transmit timestamp is a random number,
// which the answer must give back. An answer that does not is not the server's, and is passed over; one that is and makes
// no sense is an error that says which field.
//
// Left out: authentication (NTS, symmetric keys), extension fields, broadcast, the timestamps of network cards.
package sntp

import (
	"encoding/binary"
	"time"
)

// size of a packet without extension fields.
const size = 48

// packet is that of RFC 5905, figure 8.
type packet struct {
	leap, version, mode   byte
	stratum               byte
	precision             int8   // log2 of seconds
	rootDelay, dispersion uint32 // seconds in 16.16 bits
	id                    [4]byte
	reference             timestamp
	origin, receive, sent timestamp
}

// The modes that are used here.
const (
	modeClient = 3
	modeServer = 4
)

// parse reads a packet of at least size bytes.
func parse(p []byte) packet {
	at := func(i int) timestamp { return timestamp(binary.BigEndian.Uint64(p[i:])) }
	return packet{
		leap: p[0] >> 6, version: p[0] >> 3 & 7, mode: p[0] & 7, stratum: p[1], precision: int8(p[3]),
		rootDelay: binary.BigEndian.Uint32(p[4:]), dispersion: binary.BigEndian.Uint32(p[8:]), id: [4]byte(p[12:]),
		reference: at(16), origin: at(24), receive: at(32), sent: at(40),
	}
}

// request is a question with a number to be given back.
func request(cookie timestamp) []byte {
	p := make([]byte, size)
	p[0] = 4<<3 | modeClient
	binary.BigEndian.PutUint64(p[40:], uint64(cookie))
	return p
}

// timestamp is seconds since 1900 in 32.32 bits, modulo 2^32 seconds: some 136 years, an era.
type timestamp uint64

// near is the time of t that is nearest to pivot, hence right for 68 years around it.
func (t timestamp) near(pivot time.Time) time.Time {
	const from1900 = 2208988800 // to 1970
	p := pivot.Unix() + from1900
	seconds := p + int64(int32(uint32(t>>32)-uint32(p)))
	return time.Unix(seconds-from1900, int64((uint64(uint32(t))*1e9+1<<31)>>32))
}

// short is a duration in 16.16 bits of seconds.
func short(v uint32) time.Duration { return time.Duration(uint64(v) * 1e9 >> 16) }

// interval is 2^e seconds, at least a nanosecond and at most a day.
func interval(e int8) time.Duration {
	switch {
	case e >= 16:
		return 24 * time.Hour
	case e >= 0:
		return time.Second << e
	}
	return max(time.Second>>-int(e), 1)
}
