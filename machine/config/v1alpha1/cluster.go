package v1alpha1

import "github.com/bootwright/bootwright/machine/config/value"

// Cluster is what the configuration says of the cluster that the machine is part of.
type Cluster struct {
	ID                             string             `yaml:"id"`
	Secret                         string             `yaml:"secret"`
	ControlPlane                   ControlPlane       `yaml:"controlPlane"`
	ClusterName                    string             `yaml:"clusterName"`
	Network                        ClusterNetwork     `yaml:"network"`
	Token                          string             `yaml:"token" is:"token"`
	AESCBCEncryptionSecret         string             `yaml:"aescbcEncryptionSecret" is:"base64-32"`
	SecretboxEncryptionSecret      string             `yaml:"secretboxEncryptionSecret" is:"base64-32"`
	CA                             *CertificateAndKey `yaml:"ca"`
	AcceptedCAs                    []Certificate      `yaml:"acceptedCAs"`
	AggregatorCA                   *CertificateAndKey `yaml:"aggregatorCA"`
	ServiceAccount                 *Key               `yaml:"serviceAccount"`
	APIServer                      APIServer          `yaml:"apiServer"`
	ControllerManager              ControllerManager  `yaml:"controllerManager"`
	Proxy                          Proxy              `yaml:"proxy"`
	Scheduler                      Scheduler          `yaml:"scheduler"`
	Discovery                      Discovery          `yaml:"discovery"`
	Etcd                           Etcd               `yaml:"etcd"`
	CoreDNS                        CoreDNS            `yaml:"coreDNS"`
	ExternalCloudProvider          CloudProvider      `yaml:"externalCloudProvider"`
	ExtraManifests                 []string           `yaml:"extraManifests"`
	ExtraManifestHeaders           map[string]string  `yaml:"extraManifestHeaders"`
	InlineManifests                []InlineManifest   `yaml:"inlineManifests"`
	AdminKubeconfig                AdminKubeconfig    `yaml:"adminKubeconfig"`
	AllowSchedulingOnMasters       *bool              `yaml:"allowSchedulingOnMasters" old:"use allowSchedulingOnControlPlanes"`
	AllowSchedulingOnControlPlanes *bool              `yaml:"allowSchedulingOnControlPlanes"`
}

// ControlPlane is where the Kubernetes API is.
type ControlPlane struct {
	Endpoint           string `yaml:"endpoint" is:"url https"`
	LocalAPIServerPort int    `yaml:"localAPIServerPort" range:"1-65535"`
}

// ClusterNetwork is the network of pods and services.
type ClusterNetwork struct {
	CNI            CNI      `yaml:"cni"`
	DNSDomain      string   `yaml:"dnsDomain" is:"domain"`
	PodSubnets     []string `yaml:"podSubnets" is:"cidr" merge:"replace"`
	ServiceSubnets []string `yaml:"serviceSubnets" is:"cidr" merge:"replace"`
}

// CNI is the network plugin.
type CNI struct {
	Name    string   `yaml:"name" enum:"flannel|custom|none"`
	URLs    []string `yaml:"urls"`
	Flannel Flannel  `yaml:"flannel"`
}

// Flannel is how flanneld runs.
type Flannel struct {
	ExtraArgs []string `yaml:"extraArgs"`
}

// APIServer is how kube-apiserver runs.
type APIServer struct {
	Image                    string            `yaml:"image"`
	ExtraArgs                map[string]string `yaml:"extraArgs"`
	ExtraVolumes             []VolumeMount     `yaml:"extraVolumes"`
	Env                      map[string]string `yaml:"env" keys:"variable"`
	CertSANs                 []string          `yaml:"certSANs"`
	DisablePodSecurityPolicy *bool             `yaml:"disablePodSecurityPolicy"`
	AdmissionControl         []AdmissionPlugin `yaml:"admissionControl" by:"name"`
	AuditPolicy              Unstructured      `yaml:"auditPolicy" merge:"replace"`
	Resources                Resources         `yaml:"resources"`
	AuthorizationConfig      []Authorizer      `yaml:"authorizationConfig"`
}

// AdmissionPlugin is the configuration of an admission plugin.
type AdmissionPlugin struct {
	Name          string       `yaml:"name" required:"yes"`
	Configuration Unstructured `yaml:"configuration"`
}

// Authorizer is one of the API server's authorizers.
type Authorizer struct {
	Type    string       `yaml:"type" enum:"Node|RBAC|Webhook" required:"yes"`
	Name    string       `yaml:"name" required:"yes"`
	Webhook Unstructured `yaml:"webhook"`
}

// VolumeMount is a folder of the host in a static pod.
type VolumeMount struct {
	HostPath  string `yaml:"hostPath" is:"path" required:"yes"`
	MountPath string `yaml:"mountPath" is:"path" required:"yes"`
	ReadOnly  *bool  `yaml:"readonly"`
}

// Resources of a pod, by resource.
type Resources struct {
	Requests Unstructured `yaml:"requests"`
	Limits   Unstructured `yaml:"limits"`
}

// ControllerManager is how kube-controller-manager runs.
type ControllerManager struct {
	Image        string            `yaml:"image"`
	ExtraArgs    map[string]string `yaml:"extraArgs"`
	ExtraVolumes []VolumeMount     `yaml:"extraVolumes"`
	Env          map[string]string `yaml:"env" keys:"variable"`
	Resources    Resources         `yaml:"resources"`
}

// Proxy is how kube-proxy runs.
type Proxy struct {
	Disabled  *bool             `yaml:"disabled"`
	Image     string            `yaml:"image"`
	Mode      string            `yaml:"mode" enum:"iptables|ipvs|nftables"`
	ExtraArgs map[string]string `yaml:"extraArgs"`
}

// Scheduler is how kube-scheduler runs.
type Scheduler struct {
	Image        string            `yaml:"image"`
	ExtraArgs    map[string]string `yaml:"extraArgs"`
	ExtraVolumes []VolumeMount     `yaml:"extraVolumes"`
	Env          map[string]string `yaml:"env" keys:"variable"`
	Resources    Resources         `yaml:"resources"`
	Config       Unstructured      `yaml:"config"`
}

// Discovery is how the machines of the cluster find each other.
type Discovery struct {
	Enabled    *bool               `yaml:"enabled"`
	Registries DiscoveryRegistries `yaml:"registries"`
}

// DiscoveryRegistries are where machines announce themselves.
type DiscoveryRegistries struct {
	Kubernetes Switchable       `yaml:"kubernetes"`
	Service    DiscoveryService `yaml:"service"`
}

// DiscoveryService is a service outside the cluster.
type DiscoveryService struct {
	Disabled *bool  `yaml:"disabled"`
	Endpoint string `yaml:"endpoint" is:"url https http grpc"`
}

// Etcd is how etcd runs.
type Etcd struct {
	Image             string             `yaml:"image"`
	CA                *CertificateAndKey `yaml:"ca"`
	ExtraArgs         map[string]string  `yaml:"extraArgs"`
	Subnet            string             `yaml:"subnet" is:"cidr" old:"use advertisedSubnets"`
	AdvertisedSubnets []string           `yaml:"advertisedSubnets" is:"subnet-filter"`
	ListenSubnets     []string           `yaml:"listenSubnets" is:"subnet-filter"`
}

// CoreDNS is the cluster's DNS.
type CoreDNS struct {
	Disabled *bool  `yaml:"disabled"`
	Image    string `yaml:"image"`
}

// CloudProvider is the cloud's controller.
type CloudProvider struct {
	Enabled   *bool    `yaml:"enabled"`
	Manifests []string `yaml:"manifests" is:"url https http"`
}

// InlineManifest is a manifest to apply when the cluster is made.
type InlineManifest struct {
	Name     string `yaml:"name" required:"yes"`
	Contents string `yaml:"contents"`
}

// AdminKubeconfig is about the kubeconfig that the node gives out.
type AdminKubeconfig struct {
	CertLifetime value.Duration `yaml:"certLifetime"`
}
