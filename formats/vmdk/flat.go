package vmdk

import (
	"fmt"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Flat is the descriptor of a disk of size bytes that lies, as it is, in a file called extent beside it (monolithicFlat). Hypervisors can write
// to such a disk. An error is Invalid: a disk that is not whole sectors of 512 bytes, or a name that a descriptor cannot hold.
func Flat(size int64, extent string, o Options) (blob.Blob, error) {
	if size%sector != 0 || size > maxDisk || extent == "" || strings.ContainsAny(extent, "\"\n/") {
		return nil, report.Errorf(report.Invalid, "vmdk: a flat disk of %d bytes in %q", size, extent)
	}
	return blob.String(descriptor(o.ID, "monolithicFlat", size, fmt.Sprintf("RW %d FLAT %q 0", size/sector, extent))), nil
}

// descriptor is the text that says what a disk of size bytes is, and where.
func descriptor(id uint32, kind string, size int64, extent string) string {
	const heads, sectors = 255, 63
	return fmt.Sprintf(`# Disk DescriptorFile
version=1
CID=%08x
parentCID=ffffffff
createType="%s"

# Extent description
%s

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "%d"
ddb.geometry.heads = "%d"
ddb.geometry.sectors = "%d"
ddb.virtualHWVersion = "13"
`, id, kind, extent, min(size/sector/heads/sectors, 65535), heads, sectors)
}
