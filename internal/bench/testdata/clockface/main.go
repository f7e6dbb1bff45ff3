// Command clockface runs in a machine whose clock is measured. It answers each packet with the packet and what the machine's clock
// says, in nanoseconds of the Unix epoch, big endian. A packet is a letter and a number, 8 bytes: s moves the clock by that many
// nanoseconds first, c starts chronyd, once, and anything else is only a question.
package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func main() {
	fmt.Println("clockface:", serve())
	os.Exit(1)
}

func serve() error {
	c, err := net.ListenPacket("udp4", ":1230")
	if err != nil {
		return err
	}
	packet, started := make([]byte, 9), false
	for {
		n, from, err := c.ReadFrom(packet)
		if err != nil {
			return err
		}
		switch {
		case n != len(packet):
			continue
		case packet[0] == 's':
			move(time.Duration(binary.BigEndian.Uint64(packet[1:])))
		case packet[0] == 'c' && !started:
			started = true
			go chronyd()
		}
		if _, err := c.WriteTo(binary.BigEndian.AppendUint64(packet[:len(packet):len(packet)], uint64(time.Now().UnixNano())), from); err != nil {
			return err
		}
	}
}

func move(by time.Duration) {
	tv := syscall.NsecToTimeval(time.Now().Add(by).UnixNano())
	if err := syscall.Settimeofday(&tv); err != nil {
		fmt.Println("clockface: set the clock:", err)
	}
}

func chronyd() {
	cmd := exec.Command("/usr/sbin/chronyd", "-d", "-f", "/etc/chrony.conf", "-u", "root")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	fmt.Println("clockface: chronyd:", cmd.Run())
}
