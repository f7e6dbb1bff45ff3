package kernel

import "errors"

// Kmsg is the log of the kernel (Documentation/ABI/testing/dev-kmsg).
type Kmsg interface {
	// OpenKmsg reads the log from its oldest record on, and goes on with what is written until Close.
	OpenKmsg() (KmsgReader, error)
}

// KmsgReader gives the records of the kernel log one after another.
type KmsgReader interface {
	// Read waits for the next record and copies it to p, which has room for MaxKmsg bytes. ErrKmsgOverrun says that the
	// kernel has overwritten records that were next; the Read after it goes on with the oldest that is left.
	Read(p []byte) (int, error)
	Close() error
}

// MaxKmsg is the longest record that the kernel gives (CONSOLE_EXT_LOG_MAX, now PRINTK_MESSAGE_MAX).
const MaxKmsg = 8192

// ErrKmsgOverrun is that records of the kernel log were written faster than they were read.
var ErrKmsgOverrun = errors.New("records of the kernel log were overwritten before they were read")
