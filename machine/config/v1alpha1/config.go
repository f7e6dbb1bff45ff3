// Package v1alpha1 is the main document of a machine configuration, `version: v1alpha1`, with the field names of Talos
// Linux 1.9. The cluster section is decoded, checked as far as can be said without running Kubernetes, and carried.
//
// Tags beside yaml: those of package check, and for patches merge:"replace" (a list or mapping that a patch replaces) and
// by:"a,b" (a list whose items a patch finds by the first of these fields that the patch's item has).
package v1alpha1

// Config is the main document.
type Config struct {
	Version string  `yaml:"version" enum:"v1alpha1" required:"yes" doc:"The version of the document's format."`
	Debug   *bool   `yaml:"debug" doc:"Whether the machine logs verbosely, to its console too."`
	Persist *bool   `yaml:"persist" doc:"Always true: the configuration stays over a reboot."`
	Machine Machine `yaml:"machine" doc:"What is for this machine."`
	Cluster Cluster `yaml:"cluster" doc:"What is for the whole cluster."`
}

// Machine is what the configuration says of one machine.
type Machine struct {
	Type                     string               `yaml:"type" enum:"controlplane|worker|init|join" required:"yes" doc:"What the machine is in its cluster: of the control plane, or a worker."`
	Token                    string               `yaml:"token" doc:"With this token a machine asks to join; the same for all machines of the cluster."`
	CA                       *CertificateAndKey   `yaml:"ca" doc:"The authority of the node API. Only control planes have its key."`
	AcceptedCAs              []Certificate        `yaml:"acceptedCAs" doc:"More authorities whose certificates the node API takes, such as an old one while it is exchanged."`
	CertSANs                 []string             `yaml:"certSANs" is:"certificate-name" doc:"More names and addresses under which the node API can be reached."`
	ControlPlane             MachineControlPlane  `yaml:"controlPlane" doc:"Which parts of the control plane run on this machine."`
	Kubelet                  Kubelet              `yaml:"kubelet" doc:"The kubelet."`
	Pods                     []Unstructured       `yaml:"pods" doc:"Static pods that the kubelet runs, as Kubernetes writes a Pod."`
	Network                  Network              `yaml:"network" doc:"The network. Without interfaces, every link asks DHCP."`
	Disks                    []Disk               `yaml:"disks" doc:"Disks besides the system's, to partition, format and mount. A disk that holds something is left alone."`
	Install                  *Install             `yaml:"install" doc:"How to install to a disk."`
	Files                    []File               `yaml:"files" doc:"Files to write when the machine boots."`
	Env                      map[string]string    `yaml:"env" keys:"variable" doc:"Environment variables of the system's services, such as proxies."`
	Time                     Time                 `yaml:"time" doc:"How the clock is set."`
	Sysctls                  map[string]string    `yaml:"sysctls" keys:"sysctl" doc:"Parameters of the kernel below /proc/sys."`
	Sysfs                    map[string]string    `yaml:"sysfs" keys:"sysfs" doc:"Values to write below /sys."`
	Registries               Registries           `yaml:"registries" doc:"Mirrors of registries, and how to log in to them."`
	SystemDiskEncryption     SystemDiskEncryption `yaml:"systemDiskEncryption" doc:"Encryption of the system's partitions."`
	Features                 Features             `yaml:"features" doc:"Switches of features."`
	Udev                     Udev                 `yaml:"udev" doc:"Rules for devices."`
	Logging                  Logging              `yaml:"logging" doc:"Where the logs of services go."`
	Kernel                   Kernel               `yaml:"kernel" doc:"What is loaded into the kernel."`
	SeccompProfiles          []SeccompProfile     `yaml:"seccompProfiles" doc:"Seccomp profiles that pods can name."`
	BaseRuntimeSpecOverrides Unstructured         `yaml:"baseRuntimeSpecOverrides" doc:"What differs from the OCI runtime specification that containers begin with."`
	NodeLabels               map[string]string    `yaml:"nodeLabels" is:"label-value" keys:"label" doc:"Labels of the Kubernetes node."`
	NodeAnnotations          map[string]string    `yaml:"nodeAnnotations" keys:"label" doc:"Annotations of the Kubernetes node."`
	NodeTaints               map[string]string    `yaml:"nodeTaints" is:"taint" keys:"label" doc:"Taints of the Kubernetes node, as value:effect, when it first registers."`
}

// Unstructured is a mapping that is carried as it is.
type Unstructured map[string]any

// CertificateAndKey is a certificate and its private key, each PEM in base64. The key may be missing.
type CertificateAndKey struct {
	Crt string `yaml:"crt" is:"certificate" doc:"The certificate: PEM in base64."`
	Key string `yaml:"key" is:"key" doc:"Its private key: PEM in base64."`
}

// Certificate is PEM in base64.
type Certificate struct {
	Crt string `yaml:"crt" is:"certificate" required:"yes" doc:"The certificate: PEM in base64."`
}

// Key is a private key, PEM in base64.
type Key struct {
	Key string `yaml:"key" is:"key" required:"yes" doc:"The private key: PEM in base64."`
}

// MachineControlPlane turns parts of the control plane off on this machine.
type MachineControlPlane struct {
	ControllerManager Switchable `yaml:"controllerManager" doc:"The controller manager on this machine."`
	Scheduler         Switchable `yaml:"scheduler" doc:"The scheduler on this machine."`
}

// Switchable is something that can be turned off.
type Switchable struct {
	Disabled *bool `yaml:"disabled" doc:"Whether it is turned off."`
}

// Kubelet is how the kubelet runs.
type Kubelet struct {
	Image                               string            `yaml:"image" is:"image" doc:"Reference of the kubelet's image."`
	ClusterDNS                          []string          `yaml:"clusterDNS" is:"address" doc:"Name servers of pods, instead of the tenth address of each service subnet."`
	ExtraArgs                           map[string]string `yaml:"extraArgs" keys:"argument" doc:"More arguments of the kubelet, without the dashes before their names."`
	ExtraMounts                         []Mount           `yaml:"extraMounts" doc:"Folders of the machine that the kubelet's container sees."`
	ExtraConfig                         Unstructured      `yaml:"extraConfig" doc:"Fields of the kubelet's configuration file (KubeletConfiguration)."`
	CredentialProviderConfig            Unstructured      `yaml:"credentialProviderConfig" doc:"The kubelet's image credential providers (CredentialProviderConfig)."`
	DefaultRuntimeSeccompProfileEnabled *bool             `yaml:"defaultRuntimeSeccompProfileEnabled" doc:"Whether pods that name no seccomp profile get the container runtime's."`
	RegisterWithFQDN                    *bool             `yaml:"registerWithFQDN" doc:"Whether the node is called by its full domain name."`
	NodeIP                              NodeIP            `yaml:"nodeIP" doc:"Which of the machine's addresses is the node's."`
	SkipNodeRegistration                *bool             `yaml:"skipNodeRegistration" doc:"Whether the kubelet runs without joining a cluster, for static pods only."`
	DisableManifestsDirectory           *bool             `yaml:"disableManifestsDirectory" doc:"Whether files in /etc/kubernetes/manifests are ignored."`
}

// NodeIP says which address the kubelet takes for the node's.
type NodeIP struct {
	ValidSubnets []string `yaml:"validSubnets" is:"subnet-filter" doc:"Subnets that the address is in; with ! before it, one that it is not in."`
}

// Mount is a mount of the OCI runtime specification.
type Mount struct {
	Destination string      `yaml:"destination" is:"path" required:"yes" doc:"Where it is mounted in the container."`
	Type        string      `yaml:"type" doc:"Type of the mount; bind where it is not given."`
	Source      string      `yaml:"source" doc:"What is mounted."`
	Options     []string    `yaml:"options" doc:"Options of the mount; a folder of the machine needs bind or rbind."`
	UIDMappings []IDMapping `yaml:"uidMappings" doc:"How user numbers are mapped."`
	GIDMappings []IDMapping `yaml:"gidMappings" doc:"How group numbers are mapped."`
}

// IDMapping maps Size user or group numbers from HostID to ContainerID.
type IDMapping struct {
	ContainerID uint32 `yaml:"containerID" doc:"First number in the container."`
	HostID      uint32 `yaml:"hostID" doc:"First number on the machine."`
	Size        uint32 `yaml:"size" doc:"How many numbers are mapped."`
}

// SeccompProfile is a profile for the kubelet's folder of them.
type SeccompProfile struct {
	Name  string       `yaml:"name" is:"file-name" required:"yes" doc:"Name of the profile's file, by which pods find it."`
	Value Unstructured `yaml:"value" required:"yes" doc:"The profile."`
}
