package v1alpha1

import "github.com/bootwright/bootwright/machine/config/value"

// Network is the machine's network.
type Network struct {
	Hostname            string      `yaml:"hostname" is:"host-name" doc:"The machine's name. Without it, the platform or DHCP gives one."`
	Interfaces          []Interface `yaml:"interfaces" by:"interface,deviceSelector" doc:"Interfaces, named or selected. Those that are not here ask DHCP if no other does anything."`
	Nameservers         []string    `yaml:"nameservers" is:"address" doc:"Name servers."`
	SearchDomains       []string    `yaml:"searchDomains" is:"domain" doc:"Domains in which short names are looked up."`
	ExtraHostEntries    []ExtraHost `yaml:"extraHostEntries" doc:"Lines of /etc/hosts."`
	KubeSpan            KubeSpan    `yaml:"kubespan" doc:"The WireGuard mesh of the cluster's machines."`
	DisableSearchDomain *bool       `yaml:"disableSearchDomain" doc:"Whether the machine's own domain is kept out of the search domains."`
}

// ExtraHost is a line of /etc/hosts.
type ExtraHost struct {
	IP      string   `yaml:"ip" is:"address" required:"yes" doc:"The address."`
	Aliases []string `yaml:"aliases" is:"host-name" required:"yes" doc:"The names that it has."`
}

// Interface is a network interface, named or selected.
type Interface struct {
	Interface      string          `yaml:"interface" is:"interface" doc:"Name of the interface. Excludes deviceSelector."`
	DeviceSelector *DeviceSelector `yaml:"deviceSelector" doc:"Picks the interface by what it is. Excludes interface."`
	Addresses      []string        `yaml:"addresses" is:"address-or-cidr" doc:"Addresses of the interface; without a prefix length, of one host."`
	CIDR           string          `yaml:"cidr" is:"cidr" old:"use addresses" doc:"One address of the interface."`
	Routes         []Route         `yaml:"routes" doc:"Routes through the interface."`
	Bond           *Bond           `yaml:"bond" doc:"Makes the interface a bond of others."`
	Bridge         *Bridge         `yaml:"bridge" doc:"Makes the interface a bridge of others."`
	BridgePort     *BridgePort     `yaml:"bridgePort" doc:"Makes the interface a port of a bridge."`
	VLANs          []VLAN          `yaml:"vlans" by:"vlanId" doc:"VLANs on the interface."`
	MTU            int             `yaml:"mtu" range:"68-65535" doc:"Largest packet of the interface, in bytes."`
	DHCP           *bool           `yaml:"dhcp" doc:"Whether the interface asks DHCP."`
	Ignore         *bool           `yaml:"ignore" doc:"Whether the system leaves the interface alone."`
	Dummy          *bool           `yaml:"dummy" doc:"Makes the interface a dummy, which leads nowhere."`
	DHCPOptions    *DHCPOptions    `yaml:"dhcpOptions" doc:"How it asks DHCP."`
	WireGuard      *WireGuard      `yaml:"wireguard" doc:"Makes the interface one of WireGuard."`
	VIP            *VIP            `yaml:"vip" doc:"An address that machines of the control plane share; one of them has it at a time."`
}

// DeviceSelector selects a network device by what it is; every field that is there must match, wildcards included.
type DeviceSelector struct {
	BusPath       string `yaml:"busPath" doc:"Where the device is on its bus, such as 00:1f.6; * and ? are wildcards."`
	HardwareAddr  string `yaml:"hardwareAddr" doc:"Its MAC address now; * and ? are wildcards."`
	PermanentAddr string `yaml:"permanentAddr" doc:"The MAC address that it was made with; * and ? are wildcards."`
	PCIID         string `yaml:"pciID" doc:"Vendor and device number of PCI, such as 8086:15b8; * and ? are wildcards."`
	Driver        string `yaml:"driver" doc:"Name of the kernel driver; * and ? are wildcards."`
	Physical      *bool  `yaml:"physical" doc:"Whether the device is one of hardware."`
}

// Route is a route; without a gateway it is one of the link.
type Route struct {
	Network string `yaml:"network" is:"cidr" doc:"Where the route leads; without it, everywhere."`
	Gateway string `yaml:"gateway" is:"address" doc:"Address of the next router; without it, the network is on the link itself."`
	Source  string `yaml:"source" is:"address" doc:"Address that packets of the route come from."`
	Metric  uint32 `yaml:"metric" doc:"Of two routes to the same network, the one with the smaller metric is taken; 1024 where it is not given."`
	MTU     uint32 `yaml:"mtu" range:"68-65535" doc:"Largest packet of the route, in bytes."`
}

// DHCPOptions are for an interface with dhcp: true.
type DHCPOptions struct {
	RouteMetric uint32 `yaml:"routeMetric" doc:"Metric of the routes that DHCP gives."`
	IPv4        *bool  `yaml:"ipv4" doc:"Whether to ask for IPv4; true where it is not given."`
	IPv6        *bool  `yaml:"ipv6" doc:"Whether to ask for IPv6."`
	DUIDv6      string `yaml:"duidv6" is:"hex" doc:"The DUID to ask with, in hexadecimal."`
}

// VLAN is a VLAN on an interface.
type VLAN struct {
	Addresses   []string     `yaml:"addresses" is:"address-or-cidr" doc:"Addresses of the VLAN's interface."`
	CIDR        string       `yaml:"cidr" is:"cidr" old:"use addresses" doc:"One address of the VLAN's interface."`
	Routes      []Route      `yaml:"routes" doc:"Routes through the VLAN."`
	DHCP        *bool        `yaml:"dhcp" doc:"Whether the VLAN's interface asks DHCP."`
	ID          uint16       `yaml:"vlanId" range:"1-4094" required:"yes" doc:"The VLAN's number."`
	MTU         uint32       `yaml:"mtu" range:"68-65535" doc:"Largest packet of the VLAN, in bytes."`
	VIP         *VIP         `yaml:"vip" doc:"An address that machines of the control plane share on the VLAN."`
	DHCPOptions *DHCPOptions `yaml:"dhcpOptions" doc:"How it asks DHCP."`
}

// VIP is an address that the machines of the control plane share.
type VIP struct {
	IP           string    `yaml:"ip" is:"address" required:"yes" doc:"The shared address."`
	EquinixMetal *APIToken `yaml:"equinixMetal" doc:"How the address is moved at Equinix Metal."`
	HCloud       *APIToken `yaml:"hcloud" doc:"How the address is moved at Hetzner Cloud."`
}

// APIToken is the token of a cloud's API.
type APIToken struct {
	APIToken string `yaml:"apiToken" required:"yes" doc:"The token for the cloud's API."`
}

// WireGuard is a WireGuard interface.
type WireGuard struct {
	PrivateKey   string          `yaml:"privateKey" is:"base64-32" required:"yes" doc:"The private key: 32 bytes in base64."`
	ListenPort   int             `yaml:"listenPort" range:"1-65535" doc:"UDP port to listen on."`
	FirewallMark int             `yaml:"firewallMark" doc:"Mark of the packets that WireGuard itself sends."`
	Peers        []WireGuardPeer `yaml:"peers" doc:"The other ends."`
}

// WireGuardPeer is another end.
type WireGuardPeer struct {
	PublicKey                   string         `yaml:"publicKey" is:"base64-32" required:"yes" doc:"The peer's public key: 32 bytes in base64."`
	Endpoint                    string         `yaml:"endpoint" is:"host-port" doc:"Where the peer is, with its port. Without it, the peer has to begin."`
	PersistentKeepaliveInterval value.Duration `yaml:"persistentKeepaliveInterval" doc:"How often a packet is sent to keep the way open; never where it is not given."`
	AllowedIPs                  []string       `yaml:"allowedIPs" is:"cidr" doc:"Subnets behind the peer."`
}

// Bond is a bond of interfaces; the fields are the kernel's bonding options.
type Bond struct {
	Interfaces      []string         `yaml:"interfaces" is:"interface" doc:"Names of the members. Excludes deviceSelectors."`
	DeviceSelectors []DeviceSelector `yaml:"deviceSelectors" doc:"Pick the members by what they are. Excludes interfaces."`
	ARPIPTarget     []string         `yaml:"arpIPTarget" is:"address" doc:"Addresses that are asked by ARP whether a link works."`
	Mode            string           `yaml:"mode" enum:"balance-rr|active-backup|balance-xor|broadcast|802.3ad|balance-tlb|balance-alb" required:"yes" doc:"How the members share traffic."`
	XmitHashPolicy  string           `yaml:"xmitHashPolicy" enum:"layer2|layer3+4|layer2+3|encap2+3|encap3+4|vlan+srcmac" doc:"What a member is chosen by for a packet."`
	LACPRate        string           `yaml:"lacpRate" enum:"slow|fast" doc:"How often the other end sends LACP packets; for 802.3ad."`
	ADActorSystem   string           `yaml:"adActorSystem" is:"mac" doc:"The system's MAC address in LACP; for 802.3ad."`
	ARPValidate     string           `yaml:"arpValidate" enum:"none|active|backup|all|filter|filter_active|filter_backup" doc:"Which ARP answers are checked."`
	ARPAllTargets   string           `yaml:"arpAllTargets" enum:"any|all" doc:"Whether any or all of the ARP targets have to answer."`
	Primary         string           `yaml:"primary" is:"interface" doc:"The member that is used while it works; for active-backup, balance-tlb and balance-alb."`
	PrimaryReselect string           `yaml:"primaryReselect" enum:"always|better|failure" doc:"When the primary member is used again."`
	FailOverMAC     string           `yaml:"failOverMac" enum:"none|active|follow" doc:"Which MAC address the bond has after a change; for active-backup."`
	ADSelect        string           `yaml:"adSelect" enum:"stable|bandwidth|count" doc:"By what the active aggregate is chosen; for 802.3ad."`
	MIIMon          uint32           `yaml:"miimon" doc:"How often links are looked at, in milliseconds."`
	UpDelay         uint32           `yaml:"updelay" doc:"How long to wait before a link that came back is used, in milliseconds."`
	DownDelay       uint32           `yaml:"downdelay" doc:"How long to wait before a link that failed is left, in milliseconds."`
	ARPInterval     uint32           `yaml:"arpInterval" doc:"How often ARP targets are asked, in milliseconds. Excludes miimon."`
	ResendIGMP      uint32           `yaml:"resendIgmp" doc:"How many IGMP reports follow a change of members."`
	MinLinks        uint32           `yaml:"minLinks" doc:"How many members have to work for the bond to be up; for 802.3ad."`
	LPInterval      uint32           `yaml:"lpInterval" doc:"How often learning packets are sent, in seconds."`
	PacketsPerSlave uint32           `yaml:"packetsPerSlave" doc:"How many packets go over one member before the next; for balance-rr."`
	NumPeerNotif    uint8            `yaml:"numPeerNotif" doc:"How many times neighbours are told of a change."`
	TLBDynamicLB    uint8            `yaml:"tlbDynamicLb" doc:"Whether balance-tlb moves flows by load: 0 or 1."`
	AllSlavesActive uint8            `yaml:"allSlavesActive" doc:"Whether packets that come in over idle members are taken: 0 or 1."`
	UseCarrier      *bool            `yaml:"useCarrier" doc:"Whether the driver's carrier state says that a link works."`
	ADActorSysPrio  uint16           `yaml:"adActorSysPrio" doc:"The system's priority in LACP; for 802.3ad."`
	ADUserPortKey   uint16           `yaml:"adUserPortKey" doc:"The part of the LACP port key that is one's own; for 802.3ad."`
	PeerNotifyDelay uint32           `yaml:"peerNotifyDelay" doc:"How long to wait between telling neighbours, in milliseconds."`
}

// Bridge is a bridge of interfaces.
type Bridge struct {
	Interfaces []string   `yaml:"interfaces" is:"interface" doc:"Names of the ports."`
	STP        STP        `yaml:"stp" doc:"The spanning tree protocol."`
	VLAN       BridgeVLAN `yaml:"vlan" doc:"How the bridge treats VLANs."`
}

// STP is the spanning tree protocol.
type STP struct {
	Enabled *bool `yaml:"enabled" doc:"Whether the bridge speaks the spanning tree protocol."`
}

// BridgeVLAN makes a bridge know of VLANs.
type BridgeVLAN struct {
	VLANFiltering *bool `yaml:"vlanFiltering" doc:"Whether the bridge keeps VLANs apart."`
}

// BridgePort makes an interface a port of a bridge.
type BridgePort struct {
	Master string `yaml:"master" is:"interface" required:"yes" doc:"Name of the bridge."`
}

// KubeSpan is the WireGuard mesh of the cluster's machines.
type KubeSpan struct {
	Enabled                     *bool           `yaml:"enabled" doc:"Whether machines reach each other over WireGuard."`
	AdvertiseKubernetesNetworks *bool           `yaml:"advertiseKubernetesNetworks" doc:"Whether traffic between pods goes over the mesh too."`
	AllowDownPeerBypass         *bool           `yaml:"allowDownPeerBypass" doc:"Whether traffic to a peer that is down may go around the mesh."`
	HarvestExtraEndpoints       *bool           `yaml:"harvestExtraEndpoints" doc:"Whether addresses that peers were seen at are announced."`
	MTU                         uint32          `yaml:"mtu" range:"1280-65535" doc:"Largest packet of the mesh, in bytes; 1420 where it is not given."`
	Filters                     KubeSpanFilters `yaml:"filters" doc:"Which addresses are announced."`
}

// KubeSpanFilters say which addresses are announced.
type KubeSpanFilters struct {
	Endpoints []string `yaml:"endpoints" is:"subnet-filter" doc:"Subnets of announced addresses; with ! before it, one that is left out."`
}
