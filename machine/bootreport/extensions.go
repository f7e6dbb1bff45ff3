package bootreport

import "github.com/bootwright/bootwright/machine/extlayers"

// Extension is a system extension of the image, in the order of the layers.
type Extension struct {
	ID       string             `json:"id"`              // number and name, such as 000.hello
	Image    string             `json:"image"`           // file in the initramfs
	Metadata extlayers.Metadata `json:"metadata"`        // what its author says of it
	Error    string             `json:"error,omitempty"` // why the machine is without it
}
