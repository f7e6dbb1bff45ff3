package fake

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
)

// kmsg is the kernel log as /dev/kmsg gives it. The zero value is an empty one.
type kmsg struct {
	mu      sync.Mutex
	records []string
	changed watch.Value[struct{}]
}

// KernelSays adds a record to the kernel log as /dev/kmsg gives it: "6,1,1234,-;text\n". An empty one is an overrun.
func (m *Machine) KernelSays(record string) {
	m.kmsg.mu.Lock()
	m.kmsg.records = append(m.kmsg.records, record)
	m.kmsg.mu.Unlock()
	m.kmsg.changed.Set(struct{}{})
}

// kmsgRecord is what becomes of "<14>text\n" that a program writes.
func (m *Machine) kmsgRecord(text string) {
	prio, line, _ := strings.Cut(strings.TrimPrefix(text, "<"), ">")
	m.kmsg.mu.Lock()
	seq := len(m.kmsg.records)
	m.kmsg.mu.Unlock()
	m.KernelSays(fmt.Sprintf("%s,%d,%d,-;%s", prio, seq, m.SinceBoot().Microseconds(), line))
}

// OpenKmsg follows kernel.Kmsg.
func (m *Machine) OpenKmsg() (kernel.KmsgReader, error) {
	return &kmsgReader{log: &m.kmsg, closed: make(chan struct{})}, nil
}

type kmsgReader struct {
	log    *kmsg
	next   int
	once   sync.Once
	closed chan struct{}
}

func (r *kmsgReader) Read(p []byte) (int, error) {
	for {
		_, changed := r.log.changed.Watch()
		r.log.mu.Lock()
		rest := r.log.records[r.next:]
		r.log.mu.Unlock()
		if len(rest) > 0 {
			r.next++
			if rest[0] == "" {
				return 0, kernel.ErrKmsgOverrun
			}
			return copy(p, rest[0]), nil
		}
		select {
		case <-changed:
		case <-r.closed:
			return 0, os.ErrClosed
		}
	}
}

func (r *kmsgReader) Close() error {
	r.once.Do(func() { close(r.closed) })
	return nil
}
