package disks

import (
	"encoding/hex"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/machine/blockdev"
)

// names are those of a disk and its partitions by what it is and where it hangs. A partition has the names of its disk, with
// -partN.
func names(members []device) [][]string {
	var own []string
	for _, id := range members[0].ids() {
		own = append(own, "by-id/"+id)
	}
	for _, p := range members[0].paths() {
		own = append(own, "by-path/"+p)
	}
	all := make([][]string, len(members))
	for i, d := range members {
		for _, name := range own {
			if d.parent != "" {
				name += "-part" + strconv.FormatUint(d.partition, 10)
			}
			all[i] = append(all[i], name)
		}
	}
	return all
}

// ids are names of a whole device by what it is.
func (d device) ids() []string {
	var ids []string
	add := func(prefix string, parts ...string) {
		for i, p := range parts {
			if parts[i] = squeeze(p); parts[i] == "" {
				return
			}
		}
		ids = append(ids, prefix+strings.Join(parts, "_"))
	}
	switch {
	case strings.HasPrefix(d.name, "dm-"):
		add("dm-name-", d.text("dm/name"))
		add("dm-uuid-", d.text("dm/uuid"))
	case strings.HasPrefix(d.name, "md"):
		add("md-uuid-", d.text("md/uuid"))
	case d.transport() == blockdev.NVMe:
		add("nvme-", d.text("wwid"))
		add("nvme-", d.text("device/model"), d.text("device/serial"))
		add("nvme-", d.text("device/model"), d.text("device/serial"), d.text("nsid"))
	case d.transport() == blockdev.MMC:
		add("mmc-", d.text("device/name"), d.text("device/serial"))
	case d.transport() == blockdev.USB:
		target := strings.Split(path.Base(path.Dir(path.Dir(d.path))), ":")
		if serial := squeeze(d.usb("serial")); serial != "" && len(target) == 4 {
			add("usb-", d.text("device/vendor"), d.text("device/model"), serial+"-"+target[2]+":"+target[3])
		}
	case d.transport() == blockdev.SATA:
		model, serial := d.ata()
		add("ata-", model, serial)
		add("wwn-0x", d.naa())
	case strings.Contains(d.path, "/host"):
		add("scsi-", d.scsiID())
		add("wwn-0x", d.naa())
	default:
		add("virtio-", d.text("serial"))
	}
	return ids
}

// naa is the number of a SCSI or SATA disk's world-wide name.
func (d device) naa() string {
	n, ok := strings.CutPrefix(d.text("device/wwid"), "naa.")
	if !ok {
		return ""
	}
	return n
}

// usb is an attribute of the USB device that a disk belongs to: the folder above the interface, which has a ":".
func (d device) usb(name string) string {
	parts := strings.Split(d.path, "/")
	for i, p := range parts {
		if i > 0 && isUSBInterface(p) {
			return device{m: d.m, path: strings.Join(parts[:i], "/")}.text(name)
		}
	}
	return ""
}

func isUSBInterface(s string) bool { return regexp.MustCompile(`^\d+-[\d.]+:\d+\.\d+$`).MatchString(s) }

// ata are model and serial number of a SATA disk, from what it says of itself (IDENTIFY DEVICE, ATA8-ACS 7.16) in page 0x89
// of the SCSI layer, where each two letters change places. The SCSI layer's own model is cut to 16 letters.
func (d device) ata() (model, serial string) {
	const identify = 60
	page, _ := d.m.ReadFile(path.Join("/sys", d.path, "device/vpd_pg89"))
	if len(page) < identify+94 {
		return d.text("device/model"), d.serial()
	}
	words := func(from, to int) string {
		p := []byte{}
		for at := identify + 2*from; at < identify+2*to; at += 2 {
			p = append(p, page[at+1], page[at])
		}
		return strings.ToValidUTF8(strings.Trim(string(p), " \x00"), "")
	}
	return words(27, 47), words(10, 20)
}

// scsiID is what scsi_id(8) calls a disk: the best designator of page 0x83 (SPC-4, 7.8.6) behind its type. One that only
// its maker understands needs maker and model before it.
func (d device) scsiID() string {
	page, _ := d.m.ReadFile(path.Join("/sys", d.path, "device/vpd_pg83"))
	best, id := 0, ""
	for p := page[min(4, len(page)):]; len(p) >= 4 && 4+int(p[3]) <= len(p); p = p[4+int(p[3]):] {
		isBinary, association, kind, value := p[0]&15 == 1, p[1]>>4&3, p[1]&15, string(p[4:4+int(p[3])])
		if isBinary {
			value = hex.EncodeToString([]byte(value))
		}
		const logicalUnit = 0
		if association != logicalUnit || kind > 3 || int(kind)+1 <= best {
			continue
		}
		if best = int(kind) + 1; kind == 0 {
			value = pad(d.text("device/vendor"), 8) + pad(d.text("device/model"), 16) + value
		}
		id = string('0'+rune(kind)) + strings.Trim(value, "\x00")
	}
	return id
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-len(s))) }

// paths are names of a whole device by where it hangs: below which PCI function, and there at which port or address.
func (d device) paths() []string {
	pci := regexp.MustCompile(`/([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])/`).FindAllStringSubmatch(strings.ReplaceAll(d.path, "/", "//"), -1)
	if len(pci) == 0 {
		return nil
	}
	at := "pci-" + pci[len(pci)-1][1]
	scsi := ""
	if a := strings.Split(path.Base(path.Dir(path.Dir(d.path))), ":"); len(a) == 4 {
		scsi = "-scsi-0:" + strings.Join(a[1:], ":")
	}
	switch d.transport() {
	case blockdev.NVMe:
		return []string{at + "-nvme-" + d.text("nsid")}
	case blockdev.SATA:
		return d.ataPaths(at)
	case blockdev.USB:
		for p := range strings.SplitSeq(d.path, "/") {
			if _, port, ok := strings.Cut(p, "-"); ok && isUSBInterface(p) {
				return []string{at + "-usb-0:" + port + scsi}
			}
		}
		return nil
	case blockdev.Virtio:
		if scsi == "" {
			return []string{at, "virtio-" + at}
		}
	case blockdev.MMC:
		return []string{at}
	}
	return []string{at + scsi}
}

// ataPaths are the names by the port of an ATA controller, new and old.
func (d device) ataPaths(at string) []string {
	parts := strings.Split(d.path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "ata") {
			port := device{m: d.m, path: strings.Join(parts[:i+1], "/") + "/ata_port/" + p}.text("port_no")
			if port == "" {
				return nil
			}
			return []string{at + "-ata-" + port + ".0", at + "-ata-" + port}
		}
	}
	return nil
}
