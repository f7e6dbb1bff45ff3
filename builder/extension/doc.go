// Package extension reads system extensions out of container images and writes them into such: any number of layers as
// tar archives, plain or compressed with gzip or zstd, laid over each other (OCI image-spec 1.1, layer.md, white-outs
// included; Docker image manifest version 2 schema 2).
//
// Every digest is verified: those of the image by builder/fetch, and that of each unpacked layer (rootfs.diff_ids of the
// config) here. Unpacked layers are kept in the store, so that contents are slices of them, never copied nor held in memory.
//
// Left out: layers of foreign URLs, encrypted layers. What an extension may hold is for package extensions to say.
package extension
