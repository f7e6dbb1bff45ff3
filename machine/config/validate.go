package config

import (
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/kinds"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Validate says everything that is wrong or doubtful in what the documents mean, in the order of the text. The findings'
// Err is nil where there are only warnings.
func (c *Config) Validate(o check.Options) report.Findings {
	var findings report.Findings
	places := map[*Document]check.Place{}
	for _, d := range c.docs {
		places[d] = check.Document(d.doc, o, &findings)
		d.Value.Validate(places[d])
	}
	for _, d := range c.docs {
		c.conflicts(d, places[d])
	}
	HideSecrets(findings).Sort()
	return findings
}

// conflicts is about documents that do not go together.
func (c *Config) conflicts(d *Document, at check.Place) {
	main := c.Main()
	switch v := d.Value.(type) {
	case *kinds.KubespanEndpointsConfig:
		if main != nil && (main.Machine.Network.KubeSpan.Enabled == nil || !*main.Machine.Network.KubeSpan.Enabled) {
			at.Field("kind").Warn("set machine.network.kubespan.enabled", "KubeSpan is not enabled")
		}
	case *kinds.NetworkRuleConfig:
		if c.Get(ID{Kind: "NetworkDefaultActionConfig"}) == nil {
			at.Field("kind").Warn("add a NetworkDefaultActionConfig with ingress: block", "without a default action to block, the rule lets in what gets in anyway")
		}
	case *kinds.VolumeConfig:
		if main != nil && v.Name == "IMAGECACHE" && !enabled(main.Machine.Features.ImageCache) {
			at.Field("name").Warn("set machine.features.imageCache.localEnabled", "the image cache is not enabled")
		}
	case *kinds.KmsgLogConfig:
		for _, other := range All[*kinds.KmsgLogConfig](c) {
			if other != v && other.URL == v.URL && other.Name < v.Name {
				at.Field("url").Warn("", "conflicting documents: KmsgLogConfig/%s sends to the same place", other.Name)
			}
		}
	}
}

func enabled(cache v1alpha1.ImageCache) bool { return cache.LocalEnabled != nil && *cache.LocalEnabled }
