package v1alpha1

import (
	"net/netip"

	"github.com/bootwright/bootwright/machine/config/check"
)

func (c *Cluster) validate(at check.Place, controlPlane bool) {
	c.Network.validate(at.Field("network"))
	names := make([]string, len(c.InlineManifests))
	for i, m := range c.InlineManifests {
		names[i] = m.Name
	}
	at.Field("inlineManifests").Once("the manifest", names)
	names = make([]string, len(c.APIServer.AdmissionControl))
	for i, plugin := range c.APIServer.AdmissionControl {
		names[i] = plugin.Name
	}
	at.Field("apiServer.admissionControl").Once("the plugin", names)
	for i, a := range c.APIServer.AuthorizationConfig {
		if (a.Type == "Webhook") != (len(a.Webhook) > 0) {
			at.Field("apiServer.authorizationConfig").Item(i).Fault("", "webhook is for the type Webhook, which needs it")
		}
	}
	if c.Etcd.Subnet != "" && len(c.Etcd.AdvertisedSubnets) > 0 {
		at.Field("etcd.subnet").Fault("", "subnet and advertisedSubnets exclude each other")
	}
	for _, arg := range etcdArgs() {
		if _, taken := c.Etcd.ExtraArgs[arg]; taken {
			at.Field("etcd.extraArgs").Key(arg).Fault("", "the system itself sets this argument")
		}
	}
	if len(c.ExternalCloudProvider.Manifests) > 0 && (c.ExternalCloudProvider.Enabled == nil || !*c.ExternalCloudProvider.Enabled) {
		at.Field("externalCloudProvider.manifests").Fault("set enabled: true", "are for an external cloud provider that is enabled")
	}
	if c.ServiceAccount == nil && c.CA != nil && c.CA.Key != "" && controlPlane {
		at.Field("serviceAccount").Warn("", "a control plane needs the key of the service accounts")
	}
}

// etcdArgs are the arguments of etcd that are not the user's.
func etcdArgs() []string {
	return []string{"name", "data-dir", "initial-cluster-state", "listen-peer-urls", "listen-client-urls", "cert-file", "key-file",
		"trusted-ca-file", "peer-client-cert-auth", "peer-cert-file", "peer-trusted-ca-file", "peer-key-file"}
}

func (n *ClusterNetwork) validate(at check.Place) {
	switch {
	case n.CNI.Name == "custom" && len(n.CNI.URLs) == 0:
		at.Field("cni.urls").Fault("", "a custom CNI needs the URLs of its manifests")
	case n.CNI.Name != "custom" && len(n.CNI.URLs) > 0:
		at.Field("cni.urls").Fault("set name: custom", "URLs are for a custom CNI only")
	case n.CNI.Name != "flannel" && n.CNI.Name != "" && len(n.CNI.Flannel.ExtraArgs) > 0:
		at.Field("cni.flannel").Fault("", "is for the CNI flannel only")
	}
	for i, pods := range n.PodSubnets {
		for _, services := range n.ServiceSubnets {
			p, err1 := netip.ParsePrefix(pods)
			s, err2 := netip.ParsePrefix(services)
			if err1 == nil && err2 == nil && p.Overlaps(s) {
				at.Field("podSubnets").Item(i).Fault("", "%s overlaps the service subnet %s", pods, services)
			}
		}
	}
}
