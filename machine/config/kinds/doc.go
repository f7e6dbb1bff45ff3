// Package kinds are the documents of a machine configuration besides the main one, with the field names of Talos Linux
// 1.9: one file a kind, with its fields, what is checked and an example. The table of them is in package config.
package kinds

// Header is what every document of these begins with.
type Header struct {
	APIVersion string `yaml:"apiVersion" enum:"v1alpha1" required:"yes"`
	Kind       string `yaml:"kind" required:"yes"`
}

// Named is the Header of documents of which there can be several.
type Named struct {
	Header `yaml:",inline"`
	Name   string `yaml:"name" is:"document-name" required:"yes"`
}
