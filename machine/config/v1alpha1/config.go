// Package v1alpha1 is the main document of a machine configuration, `version: v1alpha1`, with the field names of Talos
// Linux 1.9. The cluster section is decoded, checked as far as can be said without running Kubernetes, and carried.
//
// Tags beside yaml: those of package check, and for patches merge:"replace" (a list or mapping that a patch replaces) and
// by:"a,b" (a list whose items a patch finds by the first of these fields that the patch's item has).
package v1alpha1

// Config is the main document.
type Config struct {
	Version string  `yaml:"version" enum:"v1alpha1" required:"yes"`
	Debug   *bool   `yaml:"debug"`
	Persist *bool   `yaml:"persist" old:"remove it: configuration is always kept"`
	Machine Machine `yaml:"machine"`
	Cluster Cluster `yaml:"cluster"`
}

// Machine is what the configuration says of one machine.
type Machine struct {
	Type                     string               `yaml:"type" enum:"controlplane|worker|init|join" required:"yes"`
	Token                    string               `yaml:"token"`
	CA                       *CertificateAndKey   `yaml:"ca"`
	AcceptedCAs              []Certificate        `yaml:"acceptedCAs"`
	CertSANs                 []string             `yaml:"certSANs"`
	ControlPlane             MachineControlPlane  `yaml:"controlPlane"`
	Kubelet                  Kubelet              `yaml:"kubelet"`
	Pods                     []Unstructured       `yaml:"pods"`
	Network                  Network              `yaml:"network"`
	Disks                    []Disk               `yaml:"disks"`
	Install                  *Install             `yaml:"install"`
	Files                    []File               `yaml:"files"`
	Env                      map[string]string    `yaml:"env" keys:"variable"`
	Time                     Time                 `yaml:"time"`
	Sysctls                  map[string]string    `yaml:"sysctls" keys:"sysctl"`
	Sysfs                    map[string]string    `yaml:"sysfs" keys:"sysfs"`
	Registries               Registries           `yaml:"registries"`
	SystemDiskEncryption     SystemDiskEncryption `yaml:"systemDiskEncryption"`
	Features                 Features             `yaml:"features"`
	Udev                     Udev                 `yaml:"udev"`
	Logging                  Logging              `yaml:"logging"`
	Kernel                   Kernel               `yaml:"kernel"`
	SeccompProfiles          []SeccompProfile     `yaml:"seccompProfiles"`
	BaseRuntimeSpecOverrides Unstructured         `yaml:"baseRuntimeSpecOverrides"`
	NodeLabels               map[string]string    `yaml:"nodeLabels" keys:"label"`
	NodeAnnotations          map[string]string    `yaml:"nodeAnnotations" keys:"label"`
	NodeTaints               map[string]string    `yaml:"nodeTaints" keys:"label"`
}

// Unstructured is a mapping that is carried as it is.
type Unstructured map[string]any

// CertificateAndKey is a certificate and its private key, each PEM in base64. The key may be missing.
type CertificateAndKey struct {
	Crt string `yaml:"crt" is:"certificate"`
	Key string `yaml:"key" is:"key"`
}

// Certificate is PEM in base64.
type Certificate struct {
	Crt string `yaml:"crt" is:"certificate" required:"yes"`
}

// Key is a private key, PEM in base64.
type Key struct {
	Key string `yaml:"key" is:"key" required:"yes"`
}

// MachineControlPlane turns parts of the control plane off on this machine.
type MachineControlPlane struct {
	ControllerManager Switchable `yaml:"controllerManager"`
	Scheduler         Switchable `yaml:"scheduler"`
}

// Switchable is something that can be turned off.
type Switchable struct {
	Disabled *bool `yaml:"disabled"`
}

// Kubelet is how the kubelet runs.
type Kubelet struct {
	Image                               string            `yaml:"image"`
	ClusterDNS                          []string          `yaml:"clusterDNS" is:"address"`
	ExtraArgs                           map[string]string `yaml:"extraArgs"`
	ExtraMounts                         []Mount           `yaml:"extraMounts"`
	ExtraConfig                         Unstructured      `yaml:"extraConfig"`
	CredentialProviderConfig            Unstructured      `yaml:"credentialProviderConfig"`
	DefaultRuntimeSeccompProfileEnabled *bool             `yaml:"defaultRuntimeSeccompProfileEnabled"`
	RegisterWithFQDN                    *bool             `yaml:"registerWithFQDN"`
	NodeIP                              NodeIP            `yaml:"nodeIP"`
	SkipNodeRegistration                *bool             `yaml:"skipNodeRegistration"`
	DisableManifestsDirectory           *bool             `yaml:"disableManifestsDirectory"`
}

// NodeIP says which address the kubelet takes for the node's.
type NodeIP struct {
	ValidSubnets []string `yaml:"validSubnets" is:"subnet-filter"`
}

// Mount is a mount of the OCI runtime specification.
type Mount struct {
	Destination string      `yaml:"destination" is:"path" required:"yes"`
	Type        string      `yaml:"type"`
	Source      string      `yaml:"source"`
	Options     []string    `yaml:"options"`
	UIDMappings []IDMapping `yaml:"uidMappings"`
	GIDMappings []IDMapping `yaml:"gidMappings"`
}

// IDMapping maps Size user or group numbers from HostID to ContainerID.
type IDMapping struct {
	ContainerID uint32 `yaml:"containerID"`
	HostID      uint32 `yaml:"hostID"`
	Size        uint32 `yaml:"size"`
}

// SeccompProfile is a profile for the kubelet's folder of them.
type SeccompProfile struct {
	Name  string       `yaml:"name" is:"file-name" required:"yes"`
	Value Unstructured `yaml:"value" required:"yes"`
}
