package v1alpha1

import (
	"cmp"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config/check"
)

// Validate says what is wrong with the document beyond the types of its fields.
func (c *Config) Validate(at check.Place) {
	at.Tags(reflect.ValueOf(c).Elem())
	if c.Persist != nil && !*c.Persist {
		at.Field("persist").Warn("write persist: true", "the configuration is kept all the same")
	}
	machine := at.Field("machine")
	c.roles(machine, at.Field("cluster"))
	c.Machine.Network.validate(machine.Field("network"), c.controlPlane())
	c.kubeSpan(machine.Field("network.kubespan"))
	c.Machine.validateInstall(machine)
	c.Machine.validateDisks(machine.Field("disks"))
	c.Machine.SystemDiskEncryption.validate(machine.Field("systemDiskEncryption"))
	c.Machine.Registries.validate(machine.Field("registries"))
	c.Machine.validateLists(machine)
	c.Machine.validateFiles(machine.Field("files"))
	c.Machine.validateNode(machine)
	c.Cluster.validate(at.Field("cluster"), c.controlPlane())
}

func (c *Config) controlPlane() bool {
	return c.Machine.Type == "controlplane" || c.Machine.Type == "init"
}

// roles is about what every machine needs, and what only a machine of the control plane does.
func (c *Config) roles(machine, cluster check.Place) {
	m := c.Machine
	switch m.Type {
	case "":
		if !machine.Has() { // else its tag says it
			machine.Field("type").Fault("", "the field is required")
		}
	case "init":
		machine.Field("type").Warn("use controlplane", "the type init is out of use")
	case "join":
		machine.Field("type").Warn("use worker", "the type join is out of use")
	}
	switch {
	case m.CA == nil || m.CA.Crt == "":
		machine.Field("ca.crt").Fault("", "the certificate authority of the machines is missing")
	case c.controlPlane() && m.CA.Key == "":
		machine.Field("ca.key").Fault("", "a machine of the control plane needs the key of the authority")
	}
	for _, pair := range []struct {
		at check.Place
		of *CertificateAndKey
	}{
		{machine.Field("ca"), m.CA}, {cluster.Field("ca"), c.Cluster.CA}, {cluster.Field("aggregatorCA"), c.Cluster.AggregatorCA},
		{cluster.Field("etcd.ca"), c.Cluster.Etcd.CA},
	} {
		pair.of.validate(pair.at)
	}
	if m.Token == "" {
		machine.Field("token").Fault("", "the field is required")
	}
	if c.Cluster.ControlPlane.Endpoint == "" {
		cluster.Field("controlPlane.endpoint").Fault("such as https://10.0.0.2:6443", "the field is required")
	}
	if isTrue(m.Features.KubernetesTalosAPIAccess.Enabled) && !c.controlPlane() {
		machine.Field("features.kubernetesTalosAPIAccess").Fault("", "only a machine of the control plane gives access to its API")
	}
}

// validate finds a key that is not that of the certificate. Each on its own has been checked.
func (p *CertificateAndKey) validate(at check.Place) {
	if p == nil || p.Crt == "" || p.Key == "" {
		return
	}
	crt, err1 := base64.StdEncoding.DecodeString(p.Crt)
	key, err2 := base64.StdEncoding.DecodeString(p.Key)
	if err1 != nil || err2 != nil {
		return
	}
	key = []byte(strings.ReplaceAll(string(key), "ED25519 PRIVATE KEY", "PRIVATE KEY"))
	if _, err := tls.X509KeyPair(crt, key); err != nil && strings.Contains(err.Error(), "does not match") {
		at.Fault("", "the key is not that of the certificate")
	}
}

func (c *Config) kubeSpan(at check.Place) {
	if !isTrue(c.Machine.Network.KubeSpan.Enabled) {
		return
	}
	if c.Cluster.Discovery.Enabled != nil && !*c.Cluster.Discovery.Enabled {
		at.Fault("set cluster.discovery.enabled", "needs the discovery of the cluster's machines")
	}
	if c.Cluster.ID == "" || c.Cluster.Secret == "" {
		at.Fault("", "needs cluster.id and cluster.secret")
	}
}

func (m *Machine) validateInstall(at check.Place) {
	install := at.Field("install")
	if m.Install != nil {
		doubt(install.Field("extraKernelArgs"), "kernel-argument", m.Install.ExtraKernelArgs)
	}
	switch {
	case at.Mode() != check.Metal:
		if m.Install != nil && at.Mode() == check.Container {
			install.Warn("", "a container installs nothing")
		}
		return
	case m.Install == nil:
		install.Fault("name a disk, such as disk: /dev/sda", "a machine of metal needs to know where to install")
		return
	case m.Install.Disk == "" && m.Install.DiskSelector == nil:
		install.Fault("", "either disk or diskSelector is needed")
	case m.Install.Disk != "" && m.Install.DiskSelector != nil:
		install.Field("disk").Warn("", "diskSelector is used, not disk")
	}
	if m.Install.DiskSelector != nil && *m.Install.DiskSelector == (DiskSelector{}) {
		install.Field("diskSelector").Warn("", "selects any disk")
	}
}

func (m *Machine) validateDisks(at check.Place) {
	devices := make([]string, len(m.Disks))
	var mounts []string
	for i, d := range m.Disks {
		devices[i] = d.Device
		if m.Install != nil && d.Device != "" && d.Device == m.Install.Disk {
			at.Item(i).Field("device").Fault("", "%s is the disk to install to", d.Device)
		}
		for j, p := range d.Partitions {
			partition := at.Item(i).Field("partitions").Item(j)
			if p.Size == 0 && j+1 < len(d.Partitions) {
				partition.Fault("", "only the last partition can do without a size")
			}
			if slices.Contains(mounts, p.Mountpoint) && p.Mountpoint != "" {
				partition.Field("mountpoint").Fault("", "%s is mounted twice", p.Mountpoint)
			}
			if p.Mountpoint != "" && !strings.HasPrefix(p.Mountpoint, "/var/") {
				partition.Field("mountpoint").Fault("", "is not below /var")
			}
			mounts = append(mounts, p.Mountpoint)
		}
	}
	at.Once("the device", devices)
}

func (s *SystemDiskEncryption) validate(at check.Place) {
	for _, partition := range []struct {
		name string
		*Encryption
	}{{"state", s.State}, {"ephemeral", s.Ephemeral}} {
		if partition.Encryption != nil {
			partition.validate(at.Field(partition.name), partition.name == "state")
		}
	}
}

func (e *Encryption) validate(at check.Place, state bool) {
	if len(e.Keys) == 0 {
		at.Field("keys").Fault("", "at least one key is needed")
	}
	if e.Provider == "" {
		at.Field("provider").Warn("write luks2", "is missing")
	}
	if e.BlockSize&(e.BlockSize-1) != 0 {
		at.Field("blockSize").Fault("", "%d is not a power of two", e.BlockSize)
	}
	if e.KeySize%8 != 0 {
		at.Field("keySize").Fault("", "%d is not a multiple of 8", e.KeySize)
	}
	slots := make([]string, len(e.Keys))
	for i, key := range e.Keys {
		item := at.Field("keys").Item(i)
		slots[i] = fmt.Sprint(key.Slot)
		kinds := 0
		for _, is := range []bool{key.Static != nil, key.NodeID != nil, key.KMS != nil, key.TPM != nil} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			item.Fault("", "has %d of static, nodeID, kms and tpm; exactly one is needed", kinds)
		}
		if key.Slot < 0 {
			item.Field("slot").Fault("", "slots are from 0 to 31")
		}
		if key.Static != nil && state {
			item.Field("static").Warn("use it for the ephemeral partition only", "the passphrase is stored in the META partition, which is not encrypted")
		}
	}
	at.Field("keys").Once("the slot", slots)
}

func (r *Registries) validate(at check.Place) {
	for name, mirror := range r.Mirrors {
		place := at.Field("mirrors").Key(name)
		place.Field("endpoints").OnceIsEnough("the endpoint", mirror.Endpoints)
		if len(mirror.Endpoints) == 0 && isTrue(mirror.SkipFallback) {
			place.Field("skipFallback").Fault("name the endpoints", "without a mirror and without the registry itself no image is found")
		}
	}
	for name, config := range r.Config {
		if name == "*" && config.TLS != nil {
			at.Field("config").Key(name).Field("tls").Fault("name each host", "wildcard host TLS configuration is not supported")
		}
	}
}

// validateLists is about items that are in a list twice.
func (m *Machine) validateLists(at check.Place) {
	modules := make([]string, len(m.Kernel.Modules))
	for i, module := range m.Kernel.Modules {
		modules[i] = strings.ReplaceAll(module.Name, "-", "_") // the kernel takes both for one
	}
	at.Field("kernel.modules").Once("the module", modules)
	for i, module := range m.Kernel.Modules {
		doubt(at.Field("kernel.modules").Item(i).Field("parameters"), "module-parameter", module.Parameters)
	}
	profiles := make([]string, len(m.SeccompProfiles))
	for i, p := range m.SeccompProfiles {
		profiles[i] = p.Name
	}
	at.Field("seccompProfiles").Once("the profile", profiles)
	at.Field("time.servers").OnceIsEnough("the server", m.Time.Servers)
	destinations := make([]string, len(m.Logging.Destinations))
	for i, d := range m.Logging.Destinations {
		destinations[i] = d.Endpoint
	}
	at.Field("logging.destinations").OnceIsEnough("the destination", destinations)
}

// doubt warns of items that are not in a notation, where what reads them may understand them all the same.
func doubt(at check.Place, notation string, items []string) {
	for i, text := range items {
		if err := check.Notation(notation, text); err != nil {
			at.Item(i).Warn(report.HintOf(err), "%v", err)
		}
	}
}

// validateFiles keeps files where the system lets them be made.
func (m *Machine) validateFiles(at check.Place) {
	created := make([]string, len(m.Files))
	for i, f := range m.Files {
		clean := path.Clean(f.Path)
		if f.Op == "create" {
			created[i] = clean
		}
		if f.Op == "create" && !strings.HasPrefix(clean, "/var/") && clean != "/etc/cri/conf.d/20-customization.part" {
			at.Item(i).Fault("", "create operation not allowed outside of /var: %q", f.Path)
		}
	}
	at.OnceIsEnough("the file", created)
}

// validateNode is about what Kubernetes is told of the machine.
func (m *Machine) validateNode(at check.Place) {
	for key, taint := range m.NodeTaints {
		_, effect, has := strings.Cut(taint, ":")
		if !has {
			effect = taint
		}
		if !slices.Contains([]string{"NoSchedule", "PreferNoSchedule", "NoExecute"}, effect) {
			at.Field("nodeTaints").Key(key).Fault("NoSchedule, PreferNoSchedule or NoExecute, with value: before it or without", "unknown effect %.60q", effect)
		}
	}
	for i, mount := range m.Kubelet.ExtraMounts {
		if cmp.Or(mount.Type, "bind") == "bind" && !slices.Contains(mount.Options, "bind") && !slices.Contains(mount.Options, "rbind") {
			at.Field("kubelet.extraMounts").Item(i).Fault("", "the options need bind or rbind")
		}
	}
	ours(at.Field("kubelet.extraArgs"), m.Kubelet.ExtraArgs, "bootstrap-kubeconfig kubeconfig container-runtime container-runtime-endpoint config cert-dir")
	ours(at.Field("kubelet.extraConfig"), m.Kubelet.ExtraConfig, "apiVersion authentication authorization cgroupRoot kind kubeletCgroups port "+
		"protectKernelDefaults resolvConf rotateCertificates systemCgroups staticPodPath seccompDefault")
}

// ours finds fields of a mapping, given as words, that nobody but the system sets.
func ours[V any](at check.Place, given map[string]V, words string) {
	for _, name := range strings.Fields(words) {
		if _, taken := given[name]; taken {
			at.Key(name).Fault("remove it", "the system itself sets it")
		}
	}
}

func isTrue(b *bool) bool { return b != nil && *b }
