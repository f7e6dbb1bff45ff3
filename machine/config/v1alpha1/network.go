package v1alpha1

import "github.com/bootwright/bootwright/machine/config/value"

// Network is the machine's network.
type Network struct {
	Hostname            string      `yaml:"hostname" is:"host-name"`
	Interfaces          []Interface `yaml:"interfaces" by:"interface,deviceSelector"`
	Nameservers         []string    `yaml:"nameservers" is:"address"`
	SearchDomains       []string    `yaml:"searchDomains" is:"domain"`
	ExtraHostEntries    []ExtraHost `yaml:"extraHostEntries"`
	KubeSpan            KubeSpan    `yaml:"kubespan"`
	DisableSearchDomain *bool       `yaml:"disableSearchDomain"`
}

// ExtraHost is a line of /etc/hosts.
type ExtraHost struct {
	IP      string   `yaml:"ip" is:"address" required:"yes"`
	Aliases []string `yaml:"aliases" is:"host-name" required:"yes"`
}

// Interface is a network interface, named or selected.
type Interface struct {
	Interface      string          `yaml:"interface" is:"interface"`
	DeviceSelector *DeviceSelector `yaml:"deviceSelector"`
	Addresses      []string        `yaml:"addresses" is:"address-or-cidr"`
	CIDR           string          `yaml:"cidr" is:"cidr" old:"use addresses"`
	Routes         []Route         `yaml:"routes"`
	Bond           *Bond           `yaml:"bond"`
	Bridge         *Bridge         `yaml:"bridge"`
	BridgePort     *BridgePort     `yaml:"bridgePort"`
	VLANs          []VLAN          `yaml:"vlans" by:"vlanId"`
	MTU            int             `yaml:"mtu" range:"68-65535"`
	DHCP           *bool           `yaml:"dhcp"`
	Ignore         *bool           `yaml:"ignore"`
	Dummy          *bool           `yaml:"dummy"`
	DHCPOptions    *DHCPOptions    `yaml:"dhcpOptions"`
	WireGuard      *WireGuard      `yaml:"wireguard"`
	VIP            *VIP            `yaml:"vip"`
}

// DeviceSelector selects a network device by what it is; every field that is there must match, wildcards included.
type DeviceSelector struct {
	BusPath       string `yaml:"busPath"`
	HardwareAddr  string `yaml:"hardwareAddr"`
	PermanentAddr string `yaml:"permanentAddr"`
	PCIID         string `yaml:"pciID"`
	Driver        string `yaml:"driver"`
	Physical      *bool  `yaml:"physical"`
}

// Route is a route; without a gateway it is one of the link.
type Route struct {
	Network string `yaml:"network" is:"cidr"`
	Gateway string `yaml:"gateway" is:"address"`
	Source  string `yaml:"source" is:"address"`
	Metric  uint32 `yaml:"metric"`
	MTU     uint32 `yaml:"mtu" range:"68-65535"`
}

// DHCPOptions are for an interface with dhcp: true.
type DHCPOptions struct {
	RouteMetric uint32 `yaml:"routeMetric"`
	IPv4        *bool  `yaml:"ipv4"`
	IPv6        *bool  `yaml:"ipv6"`
	DUIDv6      string `yaml:"duidv6" is:"hex"`
}

// VLAN is a VLAN on an interface.
type VLAN struct {
	Addresses   []string     `yaml:"addresses" is:"address-or-cidr"`
	CIDR        string       `yaml:"cidr" is:"cidr" old:"use addresses"`
	Routes      []Route      `yaml:"routes"`
	DHCP        *bool        `yaml:"dhcp"`
	ID          uint16       `yaml:"vlanId" range:"1-4094" required:"yes"`
	MTU         uint32       `yaml:"mtu" range:"68-65535"`
	VIP         *VIP         `yaml:"vip"`
	DHCPOptions *DHCPOptions `yaml:"dhcpOptions"`
}

// VIP is an address that the machines of the control plane share.
type VIP struct {
	IP           string    `yaml:"ip" is:"address" required:"yes"`
	EquinixMetal *APIToken `yaml:"equinixMetal"`
	HCloud       *APIToken `yaml:"hcloud"`
}

// APIToken is the token of a cloud's API.
type APIToken struct {
	APIToken string `yaml:"apiToken" required:"yes"`
}

// WireGuard is a WireGuard interface.
type WireGuard struct {
	PrivateKey   string          `yaml:"privateKey" is:"base64-32" required:"yes"`
	ListenPort   int             `yaml:"listenPort" range:"1-65535"`
	FirewallMark int             `yaml:"firewallMark"`
	Peers        []WireGuardPeer `yaml:"peers"`
}

// WireGuardPeer is another end.
type WireGuardPeer struct {
	PublicKey                   string         `yaml:"publicKey" is:"base64-32" required:"yes"`
	Endpoint                    string         `yaml:"endpoint" is:"host-port"`
	PersistentKeepaliveInterval value.Duration `yaml:"persistentKeepaliveInterval"`
	AllowedIPs                  []string       `yaml:"allowedIPs" is:"cidr"`
}

// Bond is a bond of interfaces; the fields are the kernel's bonding options.
type Bond struct {
	Interfaces      []string         `yaml:"interfaces" is:"interface"`
	DeviceSelectors []DeviceSelector `yaml:"deviceSelectors"`
	ARPIPTarget     []string         `yaml:"arpIPTarget" is:"address"`
	Mode            string           `yaml:"mode" enum:"balance-rr|active-backup|balance-xor|broadcast|802.3ad|balance-tlb|balance-alb" required:"yes"`
	XmitHashPolicy  string           `yaml:"xmitHashPolicy" enum:"layer2|layer3+4|layer2+3|encap2+3|encap3+4|vlan+srcmac"`
	LACPRate        string           `yaml:"lacpRate" enum:"slow|fast"`
	ADActorSystem   string           `yaml:"adActorSystem"`
	ARPValidate     string           `yaml:"arpValidate" enum:"none|active|backup|all|filter|filter_active|filter_backup"`
	ARPAllTargets   string           `yaml:"arpAllTargets" enum:"any|all"`
	Primary         string           `yaml:"primary" is:"interface"`
	PrimaryReselect string           `yaml:"primaryReselect" enum:"always|better|failure"`
	FailOverMAC     string           `yaml:"failOverMac" enum:"none|active|follow"`
	ADSelect        string           `yaml:"adSelect" enum:"stable|bandwidth|count"`
	MIIMon          uint32           `yaml:"miimon"`
	UpDelay         uint32           `yaml:"updelay"`
	DownDelay       uint32           `yaml:"downdelay"`
	ARPInterval     uint32           `yaml:"arpInterval"`
	ResendIGMP      uint32           `yaml:"resendIgmp"`
	MinLinks        uint32           `yaml:"minLinks"`
	LPInterval      uint32           `yaml:"lpInterval"`
	PacketsPerSlave uint32           `yaml:"packetsPerSlave"`
	NumPeerNotif    uint8            `yaml:"numPeerNotif"`
	TLBDynamicLB    uint8            `yaml:"tlbDynamicLb"`
	AllSlavesActive uint8            `yaml:"allSlavesActive"`
	UseCarrier      *bool            `yaml:"useCarrier"`
	ADActorSysPrio  uint16           `yaml:"adActorSysPrio"`
	ADUserPortKey   uint16           `yaml:"adUserPortKey"`
	PeerNotifyDelay uint32           `yaml:"peerNotifyDelay"`
}

// Bridge is a bridge of interfaces.
type Bridge struct {
	Interfaces []string   `yaml:"interfaces" is:"interface"`
	STP        STP        `yaml:"stp"`
	VLAN       BridgeVLAN `yaml:"vlan"`
}

// STP is the spanning tree protocol.
type STP struct {
	Enabled *bool `yaml:"enabled"`
}

// BridgeVLAN makes a bridge know of VLANs.
type BridgeVLAN struct {
	VLANFiltering *bool `yaml:"vlanFiltering"`
}

// BridgePort makes an interface a port of a bridge.
type BridgePort struct {
	Master string `yaml:"master" is:"interface" required:"yes"`
}

// KubeSpan is the WireGuard mesh of the cluster's machines.
type KubeSpan struct {
	Enabled                     *bool           `yaml:"enabled"`
	AdvertiseKubernetesNetworks *bool           `yaml:"advertiseKubernetesNetworks"`
	AllowDownPeerBypass         *bool           `yaml:"allowDownPeerBypass"`
	HarvestExtraEndpoints       *bool           `yaml:"harvestExtraEndpoints"`
	MTU                         uint32          `yaml:"mtu" range:"1280-65535"`
	Filters                     KubeSpanFilters `yaml:"filters"`
}

// KubeSpanFilters say which addresses are announced.
type KubeSpanFilters struct {
	Endpoints []string `yaml:"endpoints" is:"subnet-filter"`
}
