package current

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/bootwright/bootwright/initramfs/pid1/documents"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/layout"
)

// file is the machine configuration in STATE.
const file = "config.yaml"

// kept reads the configuration that STATE has. Where it has none there is nothing to say; one that is not good is a fault,
// and gives way to the next that the machine finds. The caller has c.mu.
func (c *Config) kept() (*config.Config, bootreport.Config, error) {
	none := bootreport.Config{Source: bootreport.SourceNone}
	dir, _ := c.State()
	if dir == "" {
		return nil, none, nil
	}
	c.looked = true
	name := path.Join(dir, file)
	text, err := c.M.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, none, nil
	}
	if err != nil {
		return nil, none, err
	}
	return documents.LoadGiven(documents.Given{Source: bootreport.SourceState, Origin: name, Text: text})
}

// Keep is the task that writes the configuration that the machine uses into STATE, whenever it is another.
func (c *Config) Keep(ctx context.Context) error {
	for {
		dir, changed := c.State()
		if dir != "" {
			c.Late()
		}
		now, configured := c.Value.Watch()
		if dir != "" && now != nil {
			if err := c.save(dir, now.Bytes()); err != nil {
				return err
			}
			c.saved.Set(true)
		}
		select {
		case <-configured:
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// Kept waits until STATE has a configuration of the machine.
func (c *Config) Kept(ctx context.Context) error {
	_, err := c.saved.Wait(ctx, func(saved bool) bool { return saved })
	return err
}

// save leaves what is there already as it is.
func (c *Config) save(dir string, text []byte) error {
	if kept, err := c.M.ReadFile(path.Join(dir, file)); err == nil && bytes.Equal(kept, text) {
		return nil
	}
	if err := c.M.ReplaceFile(dir, file, text, 0o600); err != nil {
		return err
	}
	c.Log.Infof("the machine configuration is kept in %s", layout.State)
	return nil
}
