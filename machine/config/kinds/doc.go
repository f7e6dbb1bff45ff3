// Package kinds are the documents of a machine configuration besides the main one, with the field names of Talos Linux
// 1.9: one file a kind, with its fields, what is checked and an example. The table of them is in package config.
package kinds

// Header is what every document of these begins with.
type Header struct {
	APIVersion string `yaml:"apiVersion" enum:"v1alpha1" required:"yes" doc:"The version of the document's format."`
	Kind       string `yaml:"kind" required:"yes" doc:"The kind of the document."`
}

// Named is the Header of documents of which there can be several.
type Named struct {
	Header `yaml:",inline"`
	Name   string `yaml:"name" is:"document-name" required:"yes" doc:"Name of the document, which tells it apart from others of its kind."`
}
