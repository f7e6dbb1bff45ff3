package v1alpha1

import "github.com/bootwright/bootwright/machine/config/value"

// Disk is a disk to partition, format and mount, besides the system's.
type Disk struct {
	Device     string      `yaml:"device" is:"path" required:"yes"`
	Partitions []Partition `yaml:"partitions"`
}

// Partition of a Disk; without a size it takes what is left.
type Partition struct {
	Size       value.Size `yaml:"size"`
	Mountpoint string     `yaml:"mountpoint" is:"path" required:"yes"`
}

// Install is how the system gets onto a disk.
type Install struct {
	Disk              string        `yaml:"disk" is:"path"`
	DiskSelector      *DiskSelector `yaml:"diskSelector"`
	ExtraKernelArgs   []string      `yaml:"extraKernelArgs"`
	Image             string        `yaml:"image"`
	Extensions        []Extension   `yaml:"extensions" old:"build an installer image with the extensions in it"`
	Bootloader        *bool         `yaml:"bootloader" old:"remove it: a boot loader is always installed"`
	Wipe              *bool         `yaml:"wipe"`
	LegacyBIOSSupport *bool         `yaml:"legacyBIOSSupport"`
}

// DiskSelector selects the disk to install to; every field that is there must match, wildcards included.
type DiskSelector struct {
	Size     value.SizeMatch `yaml:"size"`
	Name     string          `yaml:"name"`
	Model    string          `yaml:"model"`
	Serial   string          `yaml:"serial"`
	Modalias string          `yaml:"modalias"`
	UUID     string          `yaml:"uuid"`
	WWID     string          `yaml:"wwid"`
	Type     string          `yaml:"type" enum:"ssd|hdd|nvme|sd"`
	BusPath  string          `yaml:"busPath"`
}

// Extension is a system extension's image.
type Extension struct {
	Image string `yaml:"image" required:"yes"`
}

// File is a file to write at boot.
type File struct {
	Content     string `yaml:"content"`
	Permissions uint32 `yaml:"permissions" range:"1-4095"`
	Path        string `yaml:"path" is:"path" required:"yes"`
	Op          string `yaml:"op" enum:"create|append|overwrite" required:"yes"`
}

// Time is how the clock is set. Servers may be PTP devices.
type Time struct {
	Disabled    *bool          `yaml:"disabled"`
	Servers     []string       `yaml:"servers" is:"time-server"`
	BootTimeout value.Duration `yaml:"bootTimeout"`
}

// Registries is where images are pulled from.
type Registries struct {
	Mirrors map[string]Mirror   `yaml:"mirrors" keys:"registry"`
	Config  map[string]Registry `yaml:"config" keys:"registry"`
}

// Mirror is where the images of a registry are looked for first.
type Mirror struct {
	Endpoints    []string `yaml:"endpoints" is:"url http https"`
	OverridePath *bool    `yaml:"overridePath"`
	SkipFallback *bool    `yaml:"skipFallback"`
}

// Registry is how to talk to a registry.
type Registry struct {
	TLS  *RegistryTLS  `yaml:"tls"`
	Auth *RegistryAuth `yaml:"auth"`
}

// RegistryTLS is the TLS configuration of a registry.
type RegistryTLS struct {
	ClientIdentity     *CertificateAndKey `yaml:"clientIdentity"`
	CA                 string             `yaml:"ca" is:"certificate"`
	InsecureSkipVerify *bool              `yaml:"insecureSkipVerify"`
}

// RegistryAuth is what a registry is told who asks, as in Docker's config.json.
type RegistryAuth struct {
	Username      string `yaml:"username"`
	Password      string `yaml:"password"`
	Auth          string `yaml:"auth"`
	IdentityToken string `yaml:"identityToken"`
}

// SystemDiskEncryption is the encryption of the system's partitions.
type SystemDiskEncryption struct {
	State     *Encryption `yaml:"state"`
	Ephemeral *Encryption `yaml:"ephemeral"`
}

// Encryption of a partition.
type Encryption struct {
	Provider  string          `yaml:"provider" enum:"luks2"`
	Keys      []EncryptionKey `yaml:"keys"`
	Cipher    string          `yaml:"cipher" enum:"aes-xts-plain64|xchacha12,aes-adiantum-plain64|xchacha20,aes-adiantum-plain64"`
	KeySize   uint32          `yaml:"keySize" range:"128-512"`
	BlockSize uint64          `yaml:"blockSize" range:"512-4096"`
	Options   []string        `yaml:"options" enum:"no_read_workqueue|no_write_workqueue|same_cpu_crypt"`
}

// EncryptionKey is a key in a slot, of one of four kinds.
type EncryptionKey struct {
	Static *StaticKey `yaml:"static"`
	NodeID *struct{}  `yaml:"nodeID"`
	KMS    *KMSKey    `yaml:"kms"`
	Slot   int        `yaml:"slot" range:"0-31" required:"yes"`
	TPM    *TPMKey    `yaml:"tpm"`
}

// StaticKey is a passphrase.
type StaticKey struct {
	Passphrase string `yaml:"passphrase" required:"yes"`
}

// KMSKey is sealed by a service in the network.
type KMSKey struct {
	Endpoint string `yaml:"endpoint" is:"url grpc http https" required:"yes"`
}

// TPMKey is sealed by the TPM.
type TPMKey struct {
	CheckSecurebootStatusOnEnroll *bool `yaml:"checkSecurebootStatusOnEnroll"`
}

// Features are switches of the system.
type Features struct {
	RBAC                     *bool               `yaml:"rbac"`
	StableHostname           *bool               `yaml:"stableHostname"`
	KubernetesTalosAPIAccess KubernetesAPIAccess `yaml:"kubernetesTalosAPIAccess"`
	ApidCheckExtKeyUsage     *bool               `yaml:"apidCheckExtKeyUsage"`
	DiskQuotaSupport         *bool               `yaml:"diskQuotaSupport"`
	KubePrism                KubePrism           `yaml:"kubePrism"`
	HostDNS                  HostDNS             `yaml:"hostDNS"`
	ImageCache               ImageCache          `yaml:"imageCache"`
	NodeAddressSortAlgorithm string              `yaml:"nodeAddressSortAlgorithm" enum:"v1|v2"`
}

// KubernetesAPIAccess lets pods use the node's API.
type KubernetesAPIAccess struct {
	Enabled                     *bool    `yaml:"enabled"`
	AllowedRoles                []string `yaml:"allowedRoles" enum:"os:admin|os:operator|os:reader|os:etcd:backup|os:impersonator"`
	AllowedKubernetesNamespaces []string `yaml:"allowedKubernetesNamespaces"`
}

// KubePrism is the node's balancer for the API servers.
type KubePrism struct {
	Enabled *bool `yaml:"enabled"`
	Port    int   `yaml:"port" range:"1-65535"`
}

// HostDNS is the node's DNS cache.
type HostDNS struct {
	Enabled              *bool `yaml:"enabled"`
	ForwardKubeDNSToHost *bool `yaml:"forwardKubeDNSToHost"`
	ResolveMemberNames   *bool `yaml:"resolveMemberNames"`
}

// ImageCache is the cache of images in the boot medium.
type ImageCache struct {
	LocalEnabled *bool `yaml:"localEnabled"`
}

// Udev adds rules for devices.
type Udev struct {
	Rules []string `yaml:"rules"`
}

// Logging is where the logs of services go.
type Logging struct {
	Destinations []LogDestination `yaml:"destinations"`
}

// LogDestination takes the lines of logs, as JSON.
type LogDestination struct {
	Endpoint  string            `yaml:"endpoint" is:"url tcp udp" required:"yes"`
	Format    string            `yaml:"format" enum:"json_lines" required:"yes"`
	ExtraTags map[string]string `yaml:"extraTags"`
}

// Kernel is what is loaded into the kernel.
type Kernel struct {
	Modules []KernelModule `yaml:"modules"`
}

// KernelModule is a module to load.
type KernelModule struct {
	Name       string   `yaml:"name" is:"module" required:"yes"`
	Parameters []string `yaml:"parameters"`
}
