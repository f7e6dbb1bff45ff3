package generate

// text is what is said of a field: what it means, and as YAML beside it, fields that could be set there.
type text struct{ doc, example string }

// texts are those of the fields, by path.
func texts() map[string]text {
	return map[string]text{
		"debug":            {doc: "Whether to log verbosely to the console."},
		"persist":          {doc: "Always true: the configuration stays over a reboot."},
		"machine":          {doc: "What is for this machine."},
		"machine.type":     {doc: "What the machine is in its cluster: controlplane or worker."},
		"machine.token":    {doc: "With this token a machine asks to join; the same for all machines of the cluster."},
		"machine.ca":       {doc: "The authority of the node API. Only control planes have its key."},
		"machine.certSANs": {doc: "More names and addresses under which the node API can be reached."},
		"machine.kubelet": {doc: "The kubelet.", example: `kubelet:
    extraArgs:
        rotate-server-certificates: "true"
    nodeIP:
        validSubnets:
            - 10.0.0.0/8
`},
		"machine.network": {doc: "The network. Without interfaces, every link asks DHCP.", example: `network:
    hostname: worker-1
    interfaces:
        - interface: eth0
          addresses:
              - 192.168.2.10/24
          routes:
              - network: 0.0.0.0/0
                gateway: 192.168.2.1
    nameservers:
        - 192.168.2.1
`},
		"machine.install": {doc: "How to install to a disk.", example: `install:
    diskSelector:
        size: '>= 100GB'
    extraKernelArgs:
        - console=ttyS1
`},
		"machine.install.disk":  {doc: "The disk to install to."},
		"machine.install.image": {doc: "The installer's image."},
		"machine.install.wipe":  {doc: "Whether to wipe the disk first."},
		"machine.registries": {doc: "Mirrors of registries, and how to log in to them.", example: `registries:
    mirrors:
        docker.io:
            endpoints:
                - https://mirror.example
    config:
        mirror.example:
            auth:
                username: name
                password: password
`},
		"machine.features":                      {doc: "Switches of features."},
		"machine.features.rbac":                 {doc: "Whether roles in client certificates limit what a client may do."},
		"machine.features.stableHostname":       {doc: "Whether the default hostname stays the same over installations."},
		"machine.features.apidCheckExtKeyUsage": {doc: "Whether the node API wants client certificates to be ones for clients."},
		"machine.features.diskQuotaSupport":     {doc: "Whether the EPHEMERAL volume has project quotas."},
		"machine.features.kubePrism":            {doc: "A balancer for the Kubernetes API on every machine."},
		"machine.features.hostDNS":              {doc: "A caching name server on every machine."},
		"machine.nodeLabels":                    {doc: "Labels of the Kubernetes node."},
		"cluster":                               {doc: "What is for the whole cluster."},
		"cluster.id":                            {doc: "Names the cluster among others."},
		"cluster.secret":                        {doc: "Encrypts what members tell each other."},
		"cluster.controlPlane":                  {doc: "Where the Kubernetes API is, as machines and clients see it."},
		"cluster.clusterName":                   {doc: "The name of the cluster."},
		"cluster.network":                       {doc: "Networks of pods and services.", example: "network:\n    cni:\n        name: none\n"},
		"cluster.token":                         {doc: "With this token a kubelet joins."},
		"cluster.secretboxEncryptionSecret":     {doc: "Encrypts secrets in etcd."},
		"cluster.aescbcEncryptionSecret":        {doc: "Encrypts secrets in etcd, as clusters of old have it."},
		"cluster.ca":                            {doc: "The authority of Kubernetes. Only control planes have its key."},
		"cluster.aggregatorCA":                  {doc: "The authority of API servers behind the API server."},
		"cluster.serviceAccount":                {doc: "Signs the tokens of service accounts."},
		"cluster.apiServer":                     {doc: "The Kubernetes API server.", example: "apiServer:\n    extraArgs:\n        feature-gates: ServerSideApply=true\n"},
		"cluster.controllerManager":             {doc: "The Kubernetes controller manager."},
		"cluster.proxy":                         {doc: "kube-proxy."},
		"cluster.scheduler":                     {doc: "The Kubernetes scheduler."},
		"cluster.discovery":                     {doc: "How members find each other."},
		"cluster.etcd":                          {doc: "etcd, and the authority of its members."},
		"cluster.extraManifests":                {doc: "URLs of manifests to apply at the start of the cluster."},
		"cluster.inlineManifests":               {doc: "Manifests to apply at the start of the cluster."},
	}
}
