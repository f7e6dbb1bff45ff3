package v1alpha1

import "github.com/bootwright/bootwright/machine/config/value"

// Cluster is what the configuration says of the cluster that the machine is part of.
type Cluster struct {
	ID                             string             `yaml:"id" doc:"Names the cluster among others."`
	Secret                         string             `yaml:"secret" doc:"Encrypts what members tell each other."`
	ControlPlane                   ControlPlane       `yaml:"controlPlane" doc:"Where the Kubernetes API is, as machines and clients see it."`
	ClusterName                    string             `yaml:"clusterName" doc:"The name of the cluster."`
	Network                        ClusterNetwork     `yaml:"network" doc:"Networks of pods and services."`
	Token                          string             `yaml:"token" is:"token" doc:"With this token a kubelet joins."`
	AESCBCEncryptionSecret         string             `yaml:"aescbcEncryptionSecret" is:"base64-32" doc:"Encrypts secrets in etcd, as clusters of old have it."`
	SecretboxEncryptionSecret      string             `yaml:"secretboxEncryptionSecret" is:"base64-32" doc:"Encrypts secrets in etcd."`
	CA                             *CertificateAndKey `yaml:"ca" doc:"The authority of Kubernetes. Only control planes have its key."`
	AcceptedCAs                    []Certificate      `yaml:"acceptedCAs" doc:"More authorities whose certificates the Kubernetes API takes."`
	AggregatorCA                   *CertificateAndKey `yaml:"aggregatorCA" doc:"The authority of API servers behind the API server."`
	ServiceAccount                 *Key               `yaml:"serviceAccount" doc:"Signs the tokens of service accounts."`
	APIServer                      APIServer          `yaml:"apiServer" doc:"The Kubernetes API server."`
	ControllerManager              ControllerManager  `yaml:"controllerManager" doc:"The Kubernetes controller manager."`
	Proxy                          Proxy              `yaml:"proxy" doc:"kube-proxy."`
	Scheduler                      Scheduler          `yaml:"scheduler" doc:"The Kubernetes scheduler."`
	Discovery                      Discovery          `yaml:"discovery" doc:"How members find each other."`
	Etcd                           Etcd               `yaml:"etcd" doc:"etcd, and the authority of its members."`
	CoreDNS                        CoreDNS            `yaml:"coreDNS" doc:"The cluster's DNS."`
	ExternalCloudProvider          CloudProvider      `yaml:"externalCloudProvider" doc:"The controller of a cloud."`
	ExtraManifests                 []string           `yaml:"extraManifests" doc:"URLs of manifests to apply at the start of the cluster."`
	ExtraManifestHeaders           map[string]string  `yaml:"extraManifestHeaders" doc:"HTTP headers that these URLs are fetched with."`
	InlineManifests                []InlineManifest   `yaml:"inlineManifests" doc:"Manifests to apply at the start of the cluster."`
	AdminKubeconfig                AdminKubeconfig    `yaml:"adminKubeconfig" doc:"The kubeconfig that the node API gives out."`
	AllowSchedulingOnMasters       *bool              `yaml:"allowSchedulingOnMasters" old:"use allowSchedulingOnControlPlanes" doc:"Whether pods may run on machines of the control plane."`
	AllowSchedulingOnControlPlanes *bool              `yaml:"allowSchedulingOnControlPlanes" doc:"Whether pods may run on machines of the control plane."`
}

// ControlPlane is where the Kubernetes API is.
type ControlPlane struct {
	Endpoint           string `yaml:"endpoint" is:"url https" doc:"URL of the Kubernetes API: that of a balancer, a shared address or a machine."`
	LocalAPIServerPort int    `yaml:"localAPIServerPort" range:"1-65535" doc:"Port of the API server on its machine; 6443 where it is not given."`
}

// ClusterNetwork is the network of pods and services.
type ClusterNetwork struct {
	CNI            CNI      `yaml:"cni" doc:"The network plugin."`
	DNSDomain      string   `yaml:"dnsDomain" is:"domain" doc:"The domain of the cluster's services."`
	PodSubnets     []string `yaml:"podSubnets" is:"cidr" merge:"replace" doc:"Subnets of pods, one of IPv4, of IPv6, or of each."`
	ServiceSubnets []string `yaml:"serviceSubnets" is:"cidr" merge:"replace" doc:"Subnets of services, one of IPv4, of IPv6, or of each."`
}

// CNI is the network plugin.
type CNI struct {
	Name    string   `yaml:"name" enum:"flannel|custom|none" doc:"Which plugin: flannel, one of your own, or none at all."`
	URLs    []string `yaml:"urls" doc:"URLs of the manifests of a custom plugin."`
	Flannel Flannel  `yaml:"flannel" doc:"Options of flannel."`
}

// Flannel is how flanneld runs.
type Flannel struct {
	ExtraArgs []string `yaml:"extraArgs" doc:"More arguments of flanneld."`
}

// APIServer is how kube-apiserver runs.
type APIServer struct {
	Image                    string            `yaml:"image" is:"image" doc:"Reference of the image."`
	ExtraArgs                map[string]string `yaml:"extraArgs" keys:"argument" doc:"More arguments, without the dashes before their names."`
	ExtraVolumes             []VolumeMount     `yaml:"extraVolumes" doc:"Folders of the machine that it sees."`
	Env                      map[string]string `yaml:"env" keys:"variable" doc:"Its environment variables."`
	CertSANs                 []string          `yaml:"certSANs" is:"certificate-name" doc:"More names and addresses of the Kubernetes API."`
	DisablePodSecurityPolicy *bool             `yaml:"disablePodSecurityPolicy" doc:"Whether PodSecurityPolicy is off; Kubernetes has it no more."`
	AdmissionControl         []AdmissionPlugin `yaml:"admissionControl" by:"name" doc:"Configuration of admission plugins."`
	AuditPolicy              Unstructured      `yaml:"auditPolicy" merge:"replace" doc:"What is audited, as Kubernetes writes a Policy."`
	Resources                Resources         `yaml:"resources" doc:"What it may use of the machine."`
	AuthorizationConfig      []Authorizer      `yaml:"authorizationConfig" doc:"Authorizers besides Node and RBAC, in order."`
}

// AdmissionPlugin is the configuration of an admission plugin.
type AdmissionPlugin struct {
	Name          string       `yaml:"name" required:"yes" doc:"Name of the plugin."`
	Configuration Unstructured `yaml:"configuration" doc:"Its configuration."`
}

// Authorizer is one of the API server's authorizers.
type Authorizer struct {
	Type    string       `yaml:"type" enum:"Node|RBAC|Webhook" required:"yes" doc:"Kind of the authorizer."`
	Name    string       `yaml:"name" required:"yes" doc:"Name of the authorizer."`
	Webhook Unstructured `yaml:"webhook" doc:"How the webhook is called."`
}

// VolumeMount is a folder of the host in a static pod.
type VolumeMount struct {
	HostPath  string `yaml:"hostPath" is:"path" required:"yes" doc:"The folder on the machine."`
	MountPath string `yaml:"mountPath" is:"path" required:"yes" doc:"Where the pod has it."`
	ReadOnly  *bool  `yaml:"readonly" doc:"Whether the pod can only read it."`
}

// Resources of a pod, by resource.
type Resources struct {
	Requests Unstructured `yaml:"requests" doc:"What is kept free for it, by resource."`
	Limits   Unstructured `yaml:"limits" doc:"What it may use at most, by resource."`
}

// ControllerManager is how kube-controller-manager runs.
type ControllerManager struct {
	Image        string            `yaml:"image" is:"image" doc:"Reference of the image."`
	ExtraArgs    map[string]string `yaml:"extraArgs" keys:"argument" doc:"More arguments, without the dashes before their names."`
	ExtraVolumes []VolumeMount     `yaml:"extraVolumes" doc:"Folders of the machine that it sees."`
	Env          map[string]string `yaml:"env" keys:"variable" doc:"Its environment variables."`
	Resources    Resources         `yaml:"resources" doc:"What it may use of the machine."`
}

// Proxy is how kube-proxy runs.
type Proxy struct {
	Disabled  *bool             `yaml:"disabled" doc:"Whether kube-proxy does not run, where the network plugin does its work."`
	Image     string            `yaml:"image" is:"image" doc:"Reference of the image."`
	Mode      string            `yaml:"mode" enum:"iptables|ipvs|nftables" doc:"How it balances; iptables where it is not given."`
	ExtraArgs map[string]string `yaml:"extraArgs" keys:"argument" doc:"More arguments, without the dashes before their names."`
}

// Scheduler is how kube-scheduler runs.
type Scheduler struct {
	Image        string            `yaml:"image" is:"image" doc:"Reference of the image."`
	ExtraArgs    map[string]string `yaml:"extraArgs" keys:"argument" doc:"More arguments, without the dashes before their names."`
	ExtraVolumes []VolumeMount     `yaml:"extraVolumes" doc:"Folders of the machine that it sees."`
	Env          map[string]string `yaml:"env" keys:"variable" doc:"Its environment variables."`
	Resources    Resources         `yaml:"resources" doc:"What it may use of the machine."`
	Config       Unstructured      `yaml:"config" doc:"Its configuration file (KubeSchedulerConfiguration)."`
}

// Discovery is how the machines of the cluster find each other.
type Discovery struct {
	Enabled    *bool               `yaml:"enabled" doc:"Whether members look for each other."`
	Registries DiscoveryRegistries `yaml:"registries" doc:"Where members announce themselves."`
}

// DiscoveryRegistries are where machines announce themselves.
type DiscoveryRegistries struct {
	Kubernetes Switchable       `yaml:"kubernetes" doc:"Announcing in annotations of Kubernetes nodes."`
	Service    DiscoveryService `yaml:"service" doc:"Announcing, encrypted, at a service outside the cluster."`
}

// DiscoveryService is a service outside the cluster.
type DiscoveryService struct {
	Disabled *bool  `yaml:"disabled" doc:"Whether the service is not used."`
	Endpoint string `yaml:"endpoint" is:"url https http grpc" doc:"URL of the service."`
}

// Etcd is how etcd runs.
type Etcd struct {
	Image             string             `yaml:"image" is:"image" doc:"Reference of the image."`
	CA                *CertificateAndKey `yaml:"ca" doc:"The authority of etcd's members."`
	ExtraArgs         map[string]string  `yaml:"extraArgs" keys:"argument" doc:"More arguments, without the dashes before their names."`
	Subnet            string             `yaml:"subnet" is:"cidr" old:"use advertisedSubnets" doc:"The subnet of etcd's addresses."`
	AdvertisedSubnets []string           `yaml:"advertisedSubnets" is:"subnet-filter" doc:"Subnets of the addresses that etcd tells others; with ! before it, one that is left out."`
	ListenSubnets     []string           `yaml:"listenSubnets" is:"subnet-filter" doc:"Subnets of the addresses that etcd listens on; with ! before it, one that is left out."`
}

// CoreDNS is the cluster's DNS.
type CoreDNS struct {
	Disabled *bool  `yaml:"disabled" doc:"Whether the cluster gets no CoreDNS."`
	Image    string `yaml:"image" is:"image" doc:"Reference of the image."`
}

// CloudProvider is the cloud's controller.
type CloudProvider struct {
	Enabled   *bool    `yaml:"enabled" doc:"Whether a cloud's controller is used."`
	Manifests []string `yaml:"manifests" is:"url https http" doc:"URLs of the controller's manifests."`
}

// InlineManifest is a manifest to apply when the cluster is made.
type InlineManifest struct {
	Name     string `yaml:"name" required:"yes" doc:"Name of the manifest, which tells it apart."`
	Contents string `yaml:"contents" doc:"The manifest, in YAML."`
}

// AdminKubeconfig is about the kubeconfig that the node gives out.
type AdminKubeconfig struct {
	CertLifetime value.Duration `yaml:"certLifetime" doc:"How long its certificate is valid; a year where it is not given."`
}
