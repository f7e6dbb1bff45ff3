// Package linux is the machine that the process runs on: package kernel's interfaces by system calls.
package linux
