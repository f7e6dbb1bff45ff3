// Package fetch turns references into images: manifest, config and layers, each verified by digest and length.
//
//	oci:DIR[:TAG]        an OCI image layout; its blobs are used where they lie, never copied
//	tar:FILE[:TAG]       such a layout in a tar archive, or what `docker save` writes; its blobs go into the store
//	dir:DIR              a folder: manifest.json is the config, each other file a layer with its name as title
//	HOST/REPO[:TAG]      a registry, over TLS; blobs go into the store. docker:// may precede it
//	http://HOST/REPO…    the same for a registry without TLS
//
// Each may end in @sha256:HEX, which pins it; a Locked is pinned to one image manifest. Resolve finds that manifest and
// is the only step that asks what a name means. Open needs the network only for content that the store does not have,
// by digest, so that a locked image that was opened once opens offline.
//
// Specifications: OCI image-spec 1.1 (manifest, index, layout), OCI distribution-spec 1.1 (pull), Docker image manifest
// version 2 schema 2. Layers are not interpreted: what they hold is up to their media type and the reader. A manifest is
// at most 4 MiB, indexes nest at most 4 deep, and at most 64 manifests are looked at to find one.
//
// On disk it writes nothing but entries of builder/store. For dir: and for `docker save` archives, which have no OCI
// manifest, it makes one from their content, always the same for the same content.
//
// How registries are asked is for builder/fetch/registry; whose signatures count is for builder/signature. Signatures are found
// by cosign's tag and by what refers to an image.
//
// It leaves out schema 1, digests other than SHA-256, foreign layers' URLs, descriptors' embedded data and compressed tar
// archives.
package fetch
