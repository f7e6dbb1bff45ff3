package v1alpha1

import (
	"net/netip"

	"github.com/bootwright/bootwright/machine/config/check"
)

func (c *Cluster) validate(at check.Place, controlPlane bool) {
	c.Network.validate(at.Field("network"))
	c.validateArgs(at)
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
	if len(c.ExternalCloudProvider.Manifests) > 0 && (c.ExternalCloudProvider.Enabled == nil || !*c.ExternalCloudProvider.Enabled) {
		at.Field("externalCloudProvider.manifests").Fault("set enabled: true", "are for an external cloud provider that is enabled")
	}
	if c.ServiceAccount == nil && c.CA != nil && c.CA.Key != "" && controlPlane {
		at.Field("serviceAccount").Warn("", "a control plane needs the key of the service accounts")
	}
}

// validateArgs finds arguments that are not the user's.
func (c *Cluster) validateArgs(at check.Place) {
	ours(at.Field("etcd.extraArgs"), c.Etcd.ExtraArgs, "name data-dir initial-cluster-state listen-peer-urls listen-client-urls cert-file key-file "+
		"trusted-ca-file peer-client-cert-auth peer-cert-file peer-trusted-ca-file peer-key-file")
	ours(at.Field("apiServer.extraArgs"), c.APIServer.ExtraArgs, "etcd-servers client-ca-file requestheader-client-ca-file proxy-client-cert-file "+
		"proxy-client-key-file encryption-provider-config etcd-cafile etcd-certfile etcd-keyfile kubelet-client-certificate kubelet-client-key "+
		"service-account-key-file service-account-signing-key-file tls-cert-file tls-private-key-file")
	ours(at.Field("controllerManager.extraArgs"), c.ControllerManager.ExtraArgs, "cluster-signing-cert-file cluster-signing-key-file "+
		"authentication-kubeconfig authorization-kubeconfig root-ca-file service-account-private-key-file")
	ours(at.Field("proxy.extraArgs"), c.Proxy.ExtraArgs, "kubeconfig")
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
	oneOfEachFamily(at.Field("podSubnets"), n.PodSubnets)
	oneOfEachFamily(at.Field("serviceSubnets"), n.ServiceSubnets)
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

// oneOfEachFamily finds subnets that Kubernetes cannot use beside those before them.
func oneOfEachFamily(at check.Place, subnets []string) {
	families := make([]string, len(subnets))
	for i, text := range subnets {
		if subnet, err := netip.ParsePrefix(text); err == nil {
			families[i] = map[bool]string{true: "IPv4", false: "IPv6"}[subnet.Addr().Is4()]
		}
	}
	at.Once("a subnet of", families)
}
