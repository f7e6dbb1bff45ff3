// Package tar writes and reads archives in the POSIX pax interchange format (IEEE Std 1003.1, pax utility), the form of
// package contents and container layers. Reading also takes what GNU tar and older Unix systems write, sparse files
// included. Extended attributes are the SCHILY.xattr records that GNU tar, libarchive and Docker agree on.
//
// Left out: sockets, which tar cannot hold; user and group names; access and change times; writing hard links; the
// white-outs of container layers, which are ordinary files here; multi-volume archives.
package tar
