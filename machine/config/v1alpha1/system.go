package v1alpha1

import "github.com/bootwright/bootwright/machine/config/value"

// Disk is a disk to partition, format and mount, besides the system's.
type Disk struct {
	Device     string      `yaml:"device" is:"path" required:"yes" doc:"The disk, such as /dev/sdb or a path below /dev/disk."`
	Partitions []Partition `yaml:"partitions" doc:"Its partitions, in order."`
}

// Partition of a Disk; without a size it takes what is left.
type Partition struct {
	Size       value.Size `yaml:"size" doc:"Size of the partition; the last one takes what is left where it has none."`
	Mountpoint string     `yaml:"mountpoint" is:"path" required:"yes" doc:"Where it is mounted, below /var."`
}

// Install is how the system gets onto a disk.
type Install struct {
	Disk              string        `yaml:"disk" is:"path" doc:"The disk to install to."`
	DiskSelector      *DiskSelector `yaml:"diskSelector" doc:"Picks the disk to install to by what it is, instead of disk."`
	ExtraKernelArgs   []string      `yaml:"extraKernelArgs" doc:"More arguments of the kernel; one that begins with - is taken away."`
	Image             string        `yaml:"image" is:"image" doc:"The installer's image."`
	Extensions        []Extension   `yaml:"extensions" old:"build an installer image with the extensions in it" doc:"Images of system extensions."`
	Bootloader        *bool         `yaml:"bootloader" old:"remove it: a boot loader is always installed" doc:"Whether a boot loader is installed."`
	Wipe              *bool         `yaml:"wipe" doc:"Whether to wipe the disk first."`
	LegacyBIOSSupport *bool         `yaml:"legacyBIOSSupport" doc:"Whether the partition is marked bootable for a BIOS that wants that."`
}

// DiskSelector selects the disk to install to; every field that is there must match, wildcards included.
type DiskSelector struct {
	Size     value.SizeMatch `yaml:"size" doc:"A size, or a condition on it such as >= 100GB."`
	Name     string          `yaml:"name" doc:"Name of the kernel for the disk, such as sda; * and ? are wildcards."`
	Model    string          `yaml:"model" doc:"Model of the disk; * and ? are wildcards."`
	Serial   string          `yaml:"serial" doc:"Serial number of the disk; * and ? are wildcards."`
	Modalias string          `yaml:"modalias" doc:"The kernel's modalias of the disk; * and ? are wildcards."`
	UUID     string          `yaml:"uuid" doc:"UUID of the disk; * and ? are wildcards."`
	WWID     string          `yaml:"wwid" doc:"World wide identifier of the disk; * and ? are wildcards."`
	Type     string          `yaml:"type" enum:"ssd|hdd|nvme|sd" doc:"Kind of the disk."`
	BusPath  string          `yaml:"busPath" doc:"Where the disk is on its bus, such as /pci0000:00/*; * and ? are wildcards."`
}

// Extension is a system extension's image.
type Extension struct {
	Image string `yaml:"image" is:"image" required:"yes" doc:"Reference of the extension's image."`
}

// File is a file to write at boot.
type File struct {
	Content     string `yaml:"content" doc:"What is in the file."`
	Permissions uint32 `yaml:"permissions" range:"1-4095" doc:"Mode of the file, best written in octal: 0o600."`
	Path        string `yaml:"path" is:"path" required:"yes" doc:"Where the file is. New files are below /var only."`
	Op          string `yaml:"op" enum:"create|append|overwrite" required:"yes" doc:"Whether to create the file, append to one that is there, or overwrite one that is there."`
}

// Time is how the clock is set. Servers may be PTP devices.
type Time struct {
	Disabled    *bool          `yaml:"disabled" doc:"Whether the clock is left alone."`
	Servers     []string       `yaml:"servers" is:"time-server" doc:"Time servers (NTP), or devices of a PTP clock such as /dev/ptp0."`
	BootTimeout value.Duration `yaml:"bootTimeout" doc:"How long the boot waits for the time; without it, until it is known."`
}

// Registries is where images are pulled from.
type Registries struct {
	Mirrors map[string]Mirror   `yaml:"mirrors" keys:"registry" doc:"Mirrors of registries, by the registry's host; * is for all that have none."`
	Config  map[string]Registry `yaml:"config" keys:"registry" doc:"How to talk to registries and mirrors, by host."`
}

// Mirror is where the images of a registry are looked for first.
type Mirror struct {
	Endpoints    []string `yaml:"endpoints" is:"url http https" doc:"URLs of the mirrors, in the order in which they are asked."`
	OverridePath *bool    `yaml:"overridePath" doc:"Whether the path of the URL stays as it is, without /v2."`
	SkipFallback *bool    `yaml:"skipFallback" doc:"Whether the registry itself is not asked if the mirrors fail."`
}

// Registry is how to talk to a registry.
type Registry struct {
	TLS  *RegistryTLS  `yaml:"tls" doc:"TLS to the registry."`
	Auth *RegistryAuth `yaml:"auth" doc:"Who the registry is told to be asking."`
}

// RegistryTLS is the TLS configuration of a registry.
type RegistryTLS struct {
	ClientIdentity     *CertificateAndKey `yaml:"clientIdentity" doc:"Certificate and key of the client."`
	CA                 string             `yaml:"ca" is:"certificate" doc:"Authority of the registry's certificate: PEM in base64."`
	InsecureSkipVerify *bool              `yaml:"insecureSkipVerify" doc:"Whether any certificate is taken. Images can then be replaced on the way."`
}

// RegistryAuth is what a registry is told who asks, as in Docker's config.json.
type RegistryAuth struct {
	Username      string `yaml:"username" doc:"Name of the user."`
	Password      string `yaml:"password" doc:"The user's password."`
	Auth          string `yaml:"auth" doc:"Name and password in one, in base64, as in Docker's config.json."`
	IdentityToken string `yaml:"identityToken" doc:"A token instead of a password."`
}

// SystemDiskEncryption is the encryption of the system's partitions.
type SystemDiskEncryption struct {
	State     *Encryption `yaml:"state" doc:"Encryption of STATE, which holds the configuration."`
	Ephemeral *Encryption `yaml:"ephemeral" doc:"Encryption of EPHEMERAL, which is /var."`
}

// Encryption of a partition.
type Encryption struct {
	Provider        string          `yaml:"provider" enum:"luks2" doc:"How it is encrypted."`
	Keys            []EncryptionKey `yaml:"keys" doc:"Keys, each of which opens the partition."`
	Cipher          string          `yaml:"cipher" enum:"aes-xts-plain64|xchacha12,aes-adiantum-plain64|xchacha20,aes-adiantum-plain64" doc:"The cipher; aes-xts-plain64 where it is not given."`
	KeySize         uint32          `yaml:"keySize" range:"128-512" doc:"Size of the cipher's key, in bits."`
	BlockSize       uint64          `yaml:"blockSize" range:"512-4096" doc:"Size of an encrypted block, in bytes."`
	Options         []string        `yaml:"options" enum:"no_read_workqueue|no_write_workqueue|same_cpu_crypt" doc:"Options of dm-crypt for speed."`
	WipeForeignKeys bool            `yaml:"wipeForeignKeys" doc:"Whether to empty key slots that neither this list nor the machine knows; they are kept otherwise."`
}

// EncryptionKey is a key in a slot, of one of four kinds.
type EncryptionKey struct {
	Static *StaticKey `yaml:"static" doc:"A passphrase that is in the configuration."`
	NodeID *struct{}  `yaml:"nodeID" doc:"A key made of the machine's UUID and the partition's label."`
	KMS    *KMSKey    `yaml:"kms" doc:"A key that a service in the network seals."`
	Slot   int        `yaml:"slot" range:"0-31" required:"yes" doc:"Slot of the key in the LUKS2 header."`
	TPM    *TPMKey    `yaml:"tpm" doc:"A key that the TPM seals."`
}

// Kind is the name of the field that the key has.
func (k EncryptionKey) Kind() string {
	switch {
	case k.Static != nil:
		return "static"
	case k.NodeID != nil:
		return "nodeID"
	case k.KMS != nil:
		return "kms"
	}
	return "tpm"
}

// StaticKey is a passphrase.
type StaticKey struct {
	Passphrase string `yaml:"passphrase" required:"yes" doc:"The passphrase."`
}

// KMSKey is sealed by a service in the network.
type KMSKey struct {
	Endpoint string `yaml:"endpoint" is:"url grpc http https" required:"yes" doc:"URL of the service."`
}

// TPMKey is sealed by the TPM.
type TPMKey struct {
	CheckSecurebootStatusOnEnroll *bool `yaml:"checkSecurebootStatusOnEnroll" doc:"Whether to refuse the key while Secure Boot is off."`
}

// Features are switches of the system.
type Features struct {
	RBAC                     *bool               `yaml:"rbac" doc:"Whether roles in client certificates limit what a client may do."`
	StableHostname           *bool               `yaml:"stableHostname" doc:"Whether the default hostname stays the same over installations."`
	KubernetesTalosAPIAccess KubernetesAPIAccess `yaml:"kubernetesTalosAPIAccess" doc:"Whether pods can use the node API."`
	ApidCheckExtKeyUsage     *bool               `yaml:"apidCheckExtKeyUsage" doc:"Whether the node API wants client certificates to be ones for clients."`
	DiskQuotaSupport         *bool               `yaml:"diskQuotaSupport" doc:"Whether the EPHEMERAL volume has project quotas."`
	KubePrism                KubePrism           `yaml:"kubePrism" doc:"A balancer for the Kubernetes API on every machine."`
	HostDNS                  HostDNS             `yaml:"hostDNS" doc:"A caching name server on every machine."`
	ImageCache               ImageCache          `yaml:"imageCache" doc:"The cache of images in the boot medium."`
	NodeAddressSortAlgorithm string              `yaml:"nodeAddressSortAlgorithm" enum:"v1|v2" doc:"How the node's addresses are sorted."`
}

// KubernetesAPIAccess lets pods use the node's API.
type KubernetesAPIAccess struct {
	Enabled                     *bool    `yaml:"enabled" doc:"Whether pods get access."`
	AllowedRoles                []string `yaml:"allowedRoles" enum:"os:admin|os:operator|os:reader|os:etcd:backup|os:impersonator" doc:"Roles that pods can have."`
	AllowedKubernetesNamespaces []string `yaml:"allowedKubernetesNamespaces" doc:"Namespaces whose pods get access."`
}

// KubePrism is the node's balancer for the API servers.
type KubePrism struct {
	Enabled *bool `yaml:"enabled" doc:"Whether the balancer runs."`
	Port    int   `yaml:"port" range:"1-65535" doc:"Port on localhost; 7445 where it is not given."`
}

// HostDNS is the node's DNS cache.
type HostDNS struct {
	Enabled              *bool `yaml:"enabled" doc:"Whether the name server runs."`
	ForwardKubeDNSToHost *bool `yaml:"forwardKubeDNSToHost" doc:"Whether the cluster's DNS asks it too."`
	ResolveMemberNames   *bool `yaml:"resolveMemberNames" doc:"Whether it knows the names of the cluster's machines."`
}

// ImageCache is the cache of images in the boot medium.
type ImageCache struct {
	LocalEnabled *bool `yaml:"localEnabled" doc:"Whether images are taken from the cache."`
}

// Udev adds rules for devices.
type Udev struct {
	Rules []string `yaml:"rules" is:"udev-rule" doc:"Rules of udev, one line each."`
}

// Logging is where the logs of services go.
type Logging struct {
	Destinations []LogDestination `yaml:"destinations" doc:"Where log lines are sent."`
}

// LogDestination takes the lines of logs, as JSON.
type LogDestination struct {
	Endpoint  string            `yaml:"endpoint" is:"url tcp udp" required:"yes" doc:"Where to: tcp:// or udp://, a host and a port."`
	Format    string            `yaml:"format" enum:"json_lines" required:"yes" doc:"How lines are written."`
	ExtraTags map[string]string `yaml:"extraTags" doc:"Fields that every line gets."`
}

// Kernel is what is loaded into the kernel.
type Kernel struct {
	Modules []KernelModule `yaml:"modules" doc:"Modules to load."`
}

// KernelModule is a module to load.
type KernelModule struct {
	Name       string   `yaml:"name" is:"module" required:"yes" doc:"Name of the module, without .ko."`
	Parameters []string `yaml:"parameters" doc:"Parameters of the module, as name=value."`
}
