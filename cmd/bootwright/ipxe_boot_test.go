package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
)

// TestBootIPXE starts a machine from nothing but its network: the iPXE in its card is told of the script by DHCP, and takes kernel
// and initramfs from beside it.
func TestBootIPXE(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	dir := t.TempDir()
	bootwright(t, "build", "pxe", "--base", vmtest.Base(t), "--cache-dir", t.TempDir(), "-o", dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(dir))}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	empty := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(empty, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	r := vmtest.Report(t, vmtest.Boot(t, vm.Options{Image: empty, Firmware: vm.BIOS, ExtraArgs: []string{
		"-netdev", "user,id=n0,bootfile=http://10.0.2.2:" + port + "/metal-amd64.ipxe", "-device", "virtio-net-pci,netdev=n0,bootindex=0",
	}}))
	checkReport(t, r, "bios", "amd64")
}
