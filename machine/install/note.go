package install

import (
	"errors"
	"fmt"
	"io"

	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/meta"
)

// MetaPartition is the META partition of the system disk.
type MetaPartition interface {
	io.ReaderAt
	meta.Partition
}

// note writes into META what the upgrade r left, as the last thing: the name of the system to fall back to. The machine removes it when the new
// one is good.
func (s System) note(r Result) error {
	if s.Meta == nil || !r.Changed {
		return nil
	}
	values, _, err := meta.Read(s.Meta)
	if errors.Is(err, meta.ErrEmpty) {
		values, err = meta.Values{}, nil
	}
	if err != nil {
		return fmt.Errorf("META: %w", err)
	}
	values[meta.Upgrade] = []byte(bootentry.Name(r.Previous))
	if err := meta.Write(s.Meta, values); err != nil {
		return fmt.Errorf("META: %w", err)
	}
	return nil
}
