// Package arch holds the rules of the source tree as tests: which package may import which, what format code must not
// see, how big packages and functions get, and that every dependency has a reason. It has no code of its own.
package arch
