package bootreport

// Network is the machine's network. An origin is default, cmdline (kernel arguments), platform, dhcp or configuration; an
// address or route without one was not made by init.
type Network struct {
	Links     []Link   `json:"links,omitempty"` // without the loopback
	Routes    []Route  `json:"routes,omitempty"`
	Leases    []Lease  `json:"leases,omitempty"`
	Hostname  *Setting `json:"hostname,omitempty"` // without the domain
	Domain    *Setting `json:"domain,omitempty"`
	Resolvers *Setting `json:"resolvers,omitempty"`
	Search    *Setting `json:"searchDomains,omitempty"`
	NTP       *Setting `json:"ntpServers,omitempty"`
	Faults    []string `json:"faults,omitempty"` // what was asked for and is not so, and why
}

// Link is a network interface.
type Link struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind,omitempty"` // vlan, bond, bridge …; none for hardware
	MAC       string    `json:"mac,omitempty"`
	Driver    string    `json:"driver,omitempty"`
	BusPath   string    `json:"busPath,omitempty"`
	Up        bool      `json:"up"`
	Carrier   bool      `json:"carrier"` // there is something at the other end
	MTU       int       `json:"mtu"`
	Master    string    `json:"master,omitempty"`
	Addresses []Address `json:"addresses,omitempty"`

	WireGuard *WireGuard `json:"wireguard,omitempty"` // of a link of that kind
}

// WireGuard is a tunnel. Keys are in base64.
type WireGuard struct {
	PublicKey  string          `json:"publicKey,omitempty"`
	ListenPort int             `json:"listenPort,omitempty"` // of UDP
	Peers      []WireGuardPeer `json:"peers,omitempty"`
	Fault      string          `json:"fault,omitempty"` // why nothing is known of it
}

// WireGuardPeer is another end.
type WireGuardPeer struct {
	PublicKey string `json:"publicKey"`
	Endpoint  string `json:"endpoint,omitempty"` // the last that it spoke from
	Handshake bool   `json:"handshake"`          // it has proved its key, once at least
}

// Address is an address with the length of its network, 10.0.2.15/24.
type Address struct {
	Address string `json:"address"`
	Origin  string `json:"origin,omitempty"`
}

// Route is one of the main table.
type Route struct {
	To      string `json:"to"` // 0.0.0.0/0 is everywhere
	Gateway string `json:"gateway,omitempty"`
	Link    string `json:"link"`
	Metric  uint32 `json:"metric,omitempty"`
	Origin  string `json:"origin,omitempty"`
}

// Lease is what came of asking for one.
type Lease struct {
	Link    string `json:"link"`
	Family  int    `json:"family"` // 4 or 6
	Address string `json:"address,omitempty"`
	Server  string `json:"server,omitempty"`
	Seconds int64  `json:"seconds,omitempty"` // for which it was given
	Fault   string `json:"fault,omitempty"`   // why there is none
}

// Setting is what the machine as a whole was told, and by what.
type Setting struct {
	Values []string `json:"values"`
	Origin string   `json:"origin"`
}
