// Package ovf writes the description of a virtual machine that an OVA begins with, and the manifest of its digests (DMTF
// DSP0243, Open Virtualization Format 1.1.1). The OVA itself is a tar archive of the description, the manifest and the
// disk, in this order.
//
// Left out: several disks or machines, deployment options, certificates.
package ovf

import (
	"bytes"
	"encoding/xml"
	"fmt"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Machine is what is described.
type Machine struct {
	Name     string // of the machine and its disk's file, without a suffix
	Version  string // of the system on it
	Arch     string // amd64 or arm64
	UEFI     bool   // whether it boots by UEFI rather than BIOS
	CPUs     int    // 0 is 2
	MemoryMB int    // 0 is 2048
	Capacity int64  // of the disk, in bytes
	DiskSize int64  // of the disk's file, in bytes
	DiskFile string // its name in the archive
}

// Descriptor is the description, an XML document. The same Machine gives the same bytes.
func Descriptor(m Machine) (blob.Blob, error) {
	if m.CPUs == 0 {
		m.CPUs = 2
	}
	if m.MemoryMB == 0 {
		m.MemoryMB = 2048
	}
	os, ok := map[string]osType{"amd64": {101, "other5xLinux64Guest"}, "arm64": {101, "arm-other5xLinux64Guest"}}[m.Arch]
	if !ok || m.Name == "" || m.DiskFile == "" || m.Capacity <= 0 {
		return nil, report.Errorf(report.Invalid, "ovf: a machine %q for %q with a disk %q of %d bytes", m.Name, m.Arch, m.DiskFile, m.Capacity)
	}
	p, err := xml.MarshalIndent(describe(m, os), "", "  ")
	if err != nil {
		return nil, err
	}
	return blob.Bytes(append([]byte(xml.Header), append(p, '\n')...)), nil
}

// osType is how the operating system is called: by CIM's number (Linux 2.6 and later, 64 bits) and by VMware's word.
type osType struct {
	id   int
	word string
}

// The namespaces, bound to the prefixes that are written below as part of the names.
const (
	nsOVF  = "http://schemas.dmtf.org/ovf/envelope/1"
	nsRASD = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
	nsVSSD = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
	nsVMW  = "http://www.vmware.com/schema/ovf"
)

// node is an element: its name with prefix, attributes, text or children.
type node struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []node
}

// element makes a node; attrs are names and values in turn.
func element(name string, attrs []string, children ...node) node {
	n := node{XMLName: xml.Name{Local: name}, Children: children}
	for i := 0; i < len(attrs); i += 2 {
		n.Attrs = append(n.Attrs, xml.Attr{Name: xml.Name{Local: attrs[i]}, Value: attrs[i+1]})
	}
	return n
}

func text(name, value string) node {
	return node{XMLName: xml.Name{Local: name}, Text: value}
}

func describe(m Machine, os osType) node {
	return element("Envelope", []string{
		"xmlns", nsOVF, "xmlns:ovf", nsOVF, "xmlns:rasd", nsRASD, "xmlns:vssd", nsVSSD, "xmlns:vmw", nsVMW,
	},
		element("References", nil, element("File", []string{"ovf:id", "file1", "ovf:href", m.DiskFile, "ovf:size", fmt.Sprint(m.DiskSize)})),
		element("DiskSection", nil, text("Info", "The disk"), element("Disk", []string{
			"ovf:diskId", "disk1", "ovf:fileRef", "file1", "ovf:capacity", fmt.Sprint(m.Capacity), "ovf:capacityAllocationUnits", "byte",
			"ovf:format", "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized",
		})),
		element("NetworkSection", nil, text("Info", "The network"), element("Network", []string{"ovf:name", "VM Network"}, text("Description", "The network of the machine"))),
		element("VirtualSystem", []string{"ovf:id", m.Name},
			text("Info", "A virtual machine"), text("Name", m.Name),
			element("OperatingSystemSection", []string{"ovf:id", fmt.Sprint(os.id), "vmw:osType", os.word}, text("Info", "The operating system")),
			element("ProductSection", nil, text("Info", "The system on the disk"), text("Product", m.Name), text("FullVersion", m.Version)),
			hardware(m),
		),
	)
}

// hardware are the devices. Numbers of resource types are CIM's.
func hardware(m Machine) node {
	firmware := "bios"
	if m.UEFI {
		firmware = "efi"
	}
	return element("VirtualHardwareSection", nil,
		text("Info", "Virtual hardware"),
		element("System", nil,
			text("vssd:ElementName", "Virtual Hardware Family"), text("vssd:InstanceID", "0"),
			text("vssd:VirtualSystemIdentifier", m.Name), text("vssd:VirtualSystemType", "vmx-15")),
		item("rasd:AllocationUnits", "hertz * 10^6", "rasd:ElementName", fmt.Sprint(m.CPUs, " virtual CPUs"), "rasd:InstanceID", "1", "rasd:ResourceType", "3", "rasd:VirtualQuantity", fmt.Sprint(m.CPUs)),
		item("rasd:AllocationUnits", "byte * 2^20", "rasd:ElementName", fmt.Sprint(m.MemoryMB, " MB of memory"), "rasd:InstanceID", "2", "rasd:ResourceType", "4", "rasd:VirtualQuantity", fmt.Sprint(m.MemoryMB)),
		item("rasd:Address", "0", "rasd:ElementName", "SCSI controller 0", "rasd:InstanceID", "3", "rasd:ResourceSubType", "VirtualSCSI", "rasd:ResourceType", "6"),
		item("rasd:AddressOnParent", "0", "rasd:ElementName", "Disk 0", "rasd:HostResource", "ovf:/disk/disk1", "rasd:InstanceID", "4", "rasd:Parent", "3", "rasd:ResourceType", "17"),
		item("rasd:AutomaticAllocation", "true", "rasd:Connection", "VM Network", "rasd:ElementName", "Network adapter 0", "rasd:InstanceID", "5", "rasd:ResourceSubType", "VmxNet3", "rasd:ResourceType", "10"),
		element("vmw:Config", []string{"ovf:required", "false", "vmw:key", "firmware", "vmw:value", firmware}),
	)
}

func item(fields ...string) node {
	n := element("Item", nil)
	for i := 0; i < len(fields); i += 2 {
		n.Children = append(n.Children, text(fields[i], fields[i+1]))
	}
	return n
}

// File is a file of the archive and the digest of its content.
type File struct {
	Name   string
	Digest blob.Digest
}

// Manifest names the digests of files, which is how a reader sees that an archive is whole.
func Manifest(files ...File) blob.Blob {
	var b bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&b, "SHA256(%s)= %s\n", f.Name, f.Digest.Hex())
	}
	return blob.Bytes(b.Bytes())
}
