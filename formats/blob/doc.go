// Package blob holds the first of bootwright's two nouns: bytes of known length.
//
// An asset is described, not assembled. An Image is a list of extents over other Blobs; what no extent covers reads as
// zero. Laying out an image costs only its description, and every sink (a file, a device, an HTTP response, a registry)
// reads the same description. The package reads content only where a name says so (WriteFile, Sum, Equal).
//
// It sees no clock, randomness or environment, and depends on nothing but the standard library, internal/report and
// the system calls that copy ranges between files.
package blob
