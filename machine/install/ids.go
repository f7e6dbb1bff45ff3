package install

import "crypto/rand"

// RandomIDs are identifiers of a new disk, for Options.ID: no two disks may share theirs, and one name has one.
func RandomIDs() func(name string) [16]byte {
	ids := map[string][16]byte{}
	return func(name string) [16]byte {
		id, ok := ids[name]
		if !ok {
			rand.Read(id[:])                                // never fails
			id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4 (RFC 9562, section 5.4)
			ids[name] = id
		}
		return id
	}
}
