// Package extensions checks system extensions: images whose root holds manifest.yaml and the folder rootfs, which is laid
// over a base's root file system. The format is that of extensions in the field, version v1alpha1; docs/extensions.md
// has it with all rules.
//
// Validate says everything that is wrong at once, each finding with its file. What it would need to know of a base and
// does not is a warning that begins with "not checked", never passed over in silence.
//
// An extension is a tree.Tree here: package builder/extension reads images into trees. Left out: composing extensions
// into an image, and who signed them.
package extensions
