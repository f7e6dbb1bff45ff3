// Package debian fetches Debian packages as an ordinary user and reads their files, without installing anything.
//
// An Archive is apt with folders of its own: it uses the machine's package sources and proxy settings, works for foreign
// architectures, and leaves the machine's own package database alone. It runs apt-get, apt-cache and dpkg-deb (apt-get(8),
// apt.conf(5), deb(5)); maintainer scripts are never run. Copyright files are read by the rules of DEP 5
// (copyright-format 1.0), control fields by Debian Policy chapters 5 and 7.
//
// Left out: version constraints of dependencies (apt's candidates of one suite satisfy each other), virtual packages,
// source packages.
package debian
