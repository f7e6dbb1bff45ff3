// Package identity is what a machine is: /etc/machine-id (machine-id(5)) and /etc/os-release (os-release(5)).
package identity

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Replacing
}

// kept is where the ID of a machine is that nothing else tells from others.
const kept = "lib/bootwright/machine-id"

// WriteID writes the machine's ID and returns it. It follows from hardware, something that no other machine has and that
// stays the same; where that is "", it is random and kept in /var.
func WriteID(m Machine, hardware string) (string, error) {
	id := derive(hardware)
	if hardware == "" {
		var err error
		if id, err = keptID(m); err != nil {
			return "", err
		}
	}
	return id, m.ReplaceFile("/etc", "machine-id", []byte(id+"\n"), 0o444)
}

// derive is a UUID of version 4 as machine-id has it. It says nothing of the hardware to who reads it.
func derive(hardware string) string {
	sum := sha256.Sum256([]byte("bootwright machine-id\n" + strings.ToLower(hardware)))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x", sum[:16])
}

// Hostname is a name for the machine that stays the same from boot to boot.
func Hostname(hardware string) string {
	return fmt.Sprintf("bootwright-%x", sha256.Sum256([]byte(hardware)))[:len("bootwright-")+6]
}

func keptID(m Machine) (string, error) {
	p, err := m.ReadFile("/var/" + kept)
	if err == nil && len(p) == 33 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return strings.TrimSpace(string(p)), err
	}
	random, err := m.ReadFile("/proc/sys/kernel/random/uuid")
	if err != nil {
		return "", err
	}
	id := strings.ReplaceAll(strings.TrimSpace(string(random)), "-", "")
	return id, m.ReplaceFile("/var", kept, []byte(id+"\n"), 0o444)
}

// WriteRelease says in os-release what system this is: version is the image's, such as v1.2.3, and base what it was made
// of.
func WriteRelease(m kernel.Replacing, version, base string) error {
	number := strings.TrimPrefix(version, "v")
	text := fmt.Sprintf("NAME=%q\nID=bootwright\nVERSION=%q\nVERSION_ID=%q\nPRETTY_NAME=%q\nBUILD_ID=%q\n",
		"bootwright", version, number, strings.TrimSpace("bootwright "+version), base)
	return m.ReplaceFile("/etc", "os-release", []byte(text), 0o644)
}
