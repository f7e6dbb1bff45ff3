// Package oci writes images of plain files into OCI image layouts (image-spec 1.1: image-layout.md, manifest.md,
// image-index.md). A layer is a file as it is, neither an archive nor compressed, and its title annotation is its name; so the
// blob in the layout's folder can be used by reference. Package builder/fetch reads them.
//
// Left out: removing blobs that nothing refers to any more, layouts in archives, registries.
package oci
