package kernel

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// WireGuard is what a link of kind wireguard is told (wireguard.com/papers/wireguard.pdf, linux/wireguard.h).
type WireGuard struct {
	PrivateKey   PrivateKey
	ListenPort   int // of UDP; 0: the kernel takes one
	FirewallMark int // of the packets that it sends; 0: none
	Peers        []WireGuardPeer
}

// WireGuardPeer is another end.
type WireGuardPeer struct {
	PublicKey  PublicKey
	Endpoint   netip.AddrPort // zero: the peer has to begin
	Keepalive  time.Duration  // whole seconds, at most 65535; 0: never
	AllowedIPs []netip.Prefix // what may come from it and goes to it
}

// PrivateKey is one of Curve25519. Whatever it is printed with, it is not shown.
type PrivateKey [32]byte

// Format follows fmt.Formatter.
func (PrivateKey) Format(s fmt.State, _ rune) { io.WriteString(s, "(a private key)") }

// PublicKey is one of Curve25519.
type PublicKey [32]byte

// String is the key as wg(8) shows it, in base64.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// WireGuardState is how such a link is.
type WireGuardState struct {
	PublicKey  PublicKey // zero: it has no key
	ListenPort int
	Peers      []WireGuardContact
}

// WireGuardContact is what came of a peer.
type WireGuardContact struct {
	PublicKey PublicKey
	Endpoint  netip.AddrPort // the last that it spoke from; zero: none is known
	Handshake time.Time      // the last; zero: none yet
}
