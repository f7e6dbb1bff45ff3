package builder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/bake"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
	"github.com/bootwright/bootwright/profiles"
)

// machineConfig writes a configuration.
func machineConfig(t testing.TB, hostname string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), hostname+".yaml")
	if err := os.WriteFile(path, []byte(configareatest.Worker(hostname)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestConfigIsExchangeable: an ISO with a configuration is one without, with another area; so what is written in later
// gives the same bytes.
func TestConfigIsExchangeable(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	empty := build(t, b, lock(t, b, profile(t, "iso", dir)))
	baked := build(t, b, lock(t, b, profile(t, "iso", dir, "customization.machineConfig.path="+machineConfig(t, "node-1"))))
	if empty.Plan.Digest() == baked.Plan.Digest() {
		t.Error("the configuration is no part of the plan")
	}
	area, err := bake.Find(baked.Files[0].Blob)
	if err != nil || len(area.Entries) != 1 || area.Size != configarea.Unit {
		t.Fatalf("%+v, %v", area, err)
	}
	if extra := len(blob.Map(baked.Files[0].Blob)) - len(blob.Map(empty.Files[0].Blob)); extra != 0 {
		t.Errorf("%d more extents with a configuration", extra)
	}
	text, err := configarea.Encode(nil, area.Size)
	if err != nil {
		t.Fatal(err)
	}
	reset, err := blob.Overlay(baked.Files[0].Blob, blob.Extent{Name: "area", Offset: area.Offset, Blob: blob.Bytes(text)})
	if err != nil {
		t.Fatal(err)
	}
	if at, err := blob.Equal(t.Context(), reset, empty.Files[0].Blob); err != nil || at >= 0 {
		t.Errorf("differs at byte %d (%v), the area is at %d", at, err, area.Offset)
	}
	plan, err := json.Marshal(baked.Preview(nil))
	if err != nil || bytes.Contains(plan, []byte(configareatest.Token)) || bytes.Contains(plan, []byte("worker")) {
		t.Errorf("%v; the plan says what is in the configuration: %s", err, plan)
	}
}

// TestSavedPlanWithConfig builds it again from the file that it names, or from what is given again.
func TestSavedPlanWithConfig(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	path := machineConfig(t, "node-1")
	saved := func(set ...string) *Plan {
		text, err := json.Marshal(lock(t, b, profile(t, "iso", dir, set...)))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := LoadPlan("saved", text)
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	build(t, b, saved("customization.machineConfig.path="+path))
	given := profiles.MachineConfig{Path: path, Patches: []string{"machine: {network: {hostname: node-2}}"}}
	plan := saved("customization.machineConfig.path="+path, "customization.machineConfig.patches="+given.Patches[0])
	if _, err := b.Build(t.Context(), plan); report.KindOf(err) != report.Invalid || !strings.Contains(report.HintOf(err), "--config") {
		t.Errorf("%v", err)
	}
	if err := plan.GiveConfigs(profiles.MachineConfig{Path: path}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Build(t.Context(), plan); !strings.Contains(fmt.Sprint(err), "are not those") {
		t.Errorf("%v", err)
	}
	if err := plan.GiveConfigs(given); err != nil {
		t.Fatal(err)
	}
	build(t, b, plan)
}

// TestConfigPlaces: a file of its own for network boot, in the initramfs where that is asked for.
func TestConfigPlaces(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	set := "customization.machineConfig.path=" + machineConfig(t, "node-1")
	served := build(t, b, lock(t, b, profile(t, "pxe", dir, set)))
	pxe := served.Files
	for i, f := range pxe {
		if served.Secret(f) != (i == 2) {
			t.Errorf("%s: secret: %v", f.Name, i != 2)
		}
	}
	if len(pxe) != 4 || pxe[2].Name != "config-metal-amd64.img" {
		t.Fatalf("%d files: %+v", len(pxe), pxe)
	}
	files, _, err := cpio.Read(pxe[2].Blob)
	if err != nil || files.Get(configarea.Path).Size() != configarea.Unit {
		t.Errorf("%+v, %v", files, err)
	}
	plain := build(t, b, lock(t, b, profile(t, "initramfs", dir))).Files[0].Blob
	for _, kind := range []string{"initramfs", "metal-uki", "pxe", "iso"} {
		artifact := build(t, b, lock(t, b, profile(t, kind, dir, set, "customization.machineConfig.embed=initramfs")))
		out := artifact.Files
		for _, f := range out {
			text, err := blob.ReadAll(f.Blob, 64<<20)
			if err != nil || artifact.Secret(f) != bytes.Contains(text, []byte("hostname: node-1")) {
				t.Errorf("%s: secret: %v, %v", f.Name, artifact.Secret(f), err)
			}
		}
		if kind == "initramfs" {
			text, err := blob.ReadAll(blob.Slice(out[0].Blob, plain.Size(), out[0].Blob.Size()-plain.Size()), 1<<20)
			if err != nil || !bytes.Contains(text, []byte(configarea.EmbeddedPath)) || !bytes.Contains(text, []byte("hostname: node-1")) {
				t.Errorf("%q, %v", text, err)
			}
		}
		if kind == "iso" {
			if area, err := bake.Find(out[0].Blob); err != nil || len(area.Entries) != 0 {
				t.Errorf("%+v, %v", area, err)
			}
		}
	}
}

func TestConfigsRefused(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("version: v1alpha1\nmachine:\n  type: wroker\n  netwrok: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for set, want := range map[string]string{
		"path=" + bad: bad + ":4:3",
		"path=/none":  "/none",
		"dir=" + dir:  "has no machine configuration",
		"inline=a: b": "customization.machineConfig.inline:1:1",
	} {
		_, err := b.Lock(t.Context(), profile(t, "iso", dir, "customization.machineConfig."+set))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// TestRoom: the area grows with what is given, and to what is asked for.
func TestRoom(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	for _, c := range []struct {
		set  string
		want int64
	}{
		{"room=65537", 2 * configarea.Unit},
		{"room=1", configarea.Unit},
		{"inline=" + configareatest.Worker("a") + "#" + strings.Repeat("x", 2*configarea.Unit), 3 * configarea.Unit},
	} {
		p := lock(t, b, profile(t, "iso", dir, "customization.machineConfig."+c.set))
		if in, _ := p.Input(inputConfig); in.Size != c.want {
			t.Errorf("%s: %d bytes", c.set, in.Size)
		}
	}
}
