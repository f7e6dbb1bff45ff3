package bootreport

import "testing"

// TestVersions: what has changed has the next version, and what is there for the first time, or again, the first.
func TestVersions(t *testing.T) {
	t.Parallel()
	var r Report
	for i, step := range []struct {
		phases map[string]string
		want   map[string]int
	}{
		{map[string]string{"STATE": "waiting", "META": "ready"}, map[string]int{"STATE": 1, "META": 1}},
		{map[string]string{"STATE": "ready", "META": "ready"}, map[string]int{"STATE": 2, "META": 1}},
		{map[string]string{"STATE": "ready"}, map[string]int{"STATE": 2}},
		{map[string]string{"STATE": "ready", "META": "ready"}, map[string]int{"STATE": 2, "META": 1}},
	} {
		var now []Volume
		for id, phase := range step.phases {
			now = append(now, Volume{ID: id, Phase: phase})
		}
		r.SetVolumes(nil, now, nil)
		for _, v := range r.Volumes {
			if v.Version != step.want[v.ID] {
				t.Errorf("step %d: %s has version %d, want %d", i, v.ID, v.Version, step.want[v.ID])
			}
		}
	}
}
