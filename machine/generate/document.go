package generate

import (
	"github.com/bootwright/bootwright/machine/pki"
)

// mapping is a mapping of a document whose fields have an order. A value is a mapping, a list ([]mapping, []string), a
// string, int or bool, or PEM.
type mapping []field

type field struct {
	name  string
	value any
}

// document is the main document for machines of a type.
func (o Options) document(t Type) mapping {
	return mapping{
		{"version", "v1alpha1"},
		{"debug", false},
		{"persist", true},
		{"machine", o.machine(t)},
		{"cluster", o.cluster(t)},
	}
}

func (o Options) machine(t Type) mapping {
	install := mapping{{"disk", o.InstallDisk}}
	if o.InstallImage != "" {
		install = append(install, field{"image", o.InstallImage})
	}
	m := mapping{
		{"type", string(t)},
		{"token", o.Secrets.TrustdInfo.Token},
		{"ca", authority(o.Secrets.Certs.OS, t)},
		{"certSANs", o.AdditionalSANs},
		{"kubelet", mapping{
			{"image", "ghcr.io/siderolabs/kubelet:v" + o.KubernetesVersion},
			{"defaultRuntimeSeccompProfileEnabled", true},
			{"disableManifestsDirectory", true},
		}},
		{"network", mapping{}},
		{"install", append(install, field{"wipe", false})},
		{"registries", o.registries()},
		{"features", mapping{
			{"rbac", true},
			{"stableHostname", true},
			{"apidCheckExtKeyUsage", true},
			{"diskQuotaSupport", true},
			{"kubePrism", mapping{{"enabled", true}, {"port", 7445}}},
			{"hostDNS", mapping{{"enabled", true}, {"forwardKubeDNSToHost", true}}},
		}},
	}
	if t == ControlPlane {
		m = append(m, field{"nodeLabels", mapping{{"node.kubernetes.io/exclude-from-external-load-balancers", ""}}})
	}
	return m
}

func (o Options) registries() mapping {
	if len(o.RegistryMirrors) == 0 {
		return mapping{}
	}
	var mirrors mapping
	at := map[string]int{}
	for _, m := range o.RegistryMirrors {
		i, known := at[m.Registry]
		if !known {
			i, at[m.Registry] = len(mirrors), len(mirrors)
			mirrors = append(mirrors, field{m.Registry, mapping{{"endpoints", []string(nil)}}})
		}
		endpoints := &mirrors[i].value.(mapping)[0]
		endpoints.value = append(endpoints.value.([]string), m.Endpoint)
	}
	return mapping{{"mirrors", mirrors}}
}

func (o Options) cluster(t Type) mapping {
	s := o.Secrets
	c := mapping{
		{"id", s.Cluster.ID},
		{"secret", s.Cluster.Secret},
		{"controlPlane", mapping{{"endpoint", o.Endpoint}}},
		{"clusterName", o.ClusterName},
		{"network", mapping{
			{"dnsDomain", "cluster.local"},
			{"podSubnets", []string{"10.244.0.0/16"}},
			{"serviceSubnets", []string{"10.96.0.0/12"}},
		}},
		{"token", s.Secrets.BootstrapToken},
	}
	if t == ControlPlane {
		c = append(c, o.encryption())
	}
	c = append(c, field{"ca", authority(s.Certs.K8s, t)})
	if t == ControlPlane {
		c = append(c, o.kubernetes()...)
	}
	c = append(c, field{"discovery", mapping{
		{"enabled", true},
		{"registries", mapping{{"kubernetes", mapping{{"disabled", true}}}, {"service", mapping{}}}},
	}})
	if t == ControlPlane {
		c = append(c,
			field{"etcd", mapping{{"ca", authority(s.Certs.Etcd, t)}}},
			field{"extraManifests", []string(nil)},
			field{"inlineManifests", []mapping(nil)},
		)
	}
	return c
}

// encryption is the key that encrypts secrets in etcd.
func (o Options) encryption() field {
	if old := o.Secrets.Secrets.AESCBCKey; old != "" {
		return field{"aescbcEncryptionSecret", old}
	}
	return field{"secretboxEncryptionSecret", o.Secrets.Secrets.SecretboxKey}
}

// kubernetes is what only the control plane runs and knows.
func (o Options) kubernetes() mapping {
	image := func(name string) field { return field{"image", "registry.k8s.io/" + name + ":v" + o.KubernetesVersion} }
	return mapping{
		{"aggregatorCA", authority(o.Secrets.Certs.K8sAggregator, ControlPlane)},
		{"serviceAccount", mapping{{"key", o.Secrets.Certs.K8sServiceAccount.Key}}},
		{"apiServer", mapping{
			image("kube-apiserver"),
			{"certSANs", o.apiServerSANs()},
			{"disablePodSecurityPolicy", true},
			{"admissionControl", []mapping{{{"name", "PodSecurity"}, {"configuration", podSecurity()}}}},
			{"auditPolicy", mapping{
				{"apiVersion", "audit.k8s.io/v1"},
				{"kind", "Policy"},
				{"rules", []mapping{{{"level", "Metadata"}}}},
			}},
		}},
		{"controllerManager", mapping{image("kube-controller-manager")}},
		{"proxy", mapping{image("kube-proxy")}},
		{"scheduler", mapping{image("kube-scheduler")}},
	}
}

func podSecurity() mapping {
	return mapping{
		{"apiVersion", "pod-security.admission.config.k8s.io/v1alpha1"},
		{"kind", "PodSecurityConfiguration"},
		{"defaults", mapping{
			{"audit", "restricted"},
			{"audit-version", "latest"},
			{"enforce", "baseline"},
			{"enforce-version", "latest"},
			{"warn", "restricted"},
			{"warn-version", "latest"},
		}},
		{"exemptions", mapping{
			{"namespaces", []string{"kube-system"}},
			{"runtimeClasses", []string(nil)},
			{"usernames", []string(nil)},
		}},
	}
}

// authority is a pair as machines of a type get it: workers never get its key.
func authority(p pki.Pair, t Type) mapping {
	if t != ControlPlane {
		p.Key = nil
	}
	return mapping{{"crt", p.Crt}, {"key", p.Key}}
}
