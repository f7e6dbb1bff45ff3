package debian

import "testing"

func TestMatter(t *testing.T) {
	sources := []source{
		{"http://deb.example.org/debian/", true, ""},
		{"https://download.example.com/linux/debian/", false, ""},
	}
	for line, want := range map[string]bool{
		"W: Failed to fetch http://deb.example.org/debian/dists/bookworm/InRelease  Could not connect":                             true,
		"E: The repository 'http://deb.example.org/debian nosuch Release' does not have a Release file.":                           true,
		"W: Failed to fetch http://deb.example.org/debian-security/dists/bookworm-security/InRelease  Could not connect":           true,
		"W: Failed to fetch http://debian-security.example.org/dists/bookworm-security/InRelease  Temporary failure resolving":     true,
		"W: Failed to fetch https://download.example.com/linux/debian/dists/bookworm/InRelease  Could not connect":                 false,
		"W: Failed to fetch https://packages.example.org/apt/dists/x/InRelease  Could not connect":                                 false,
		"E: Could not open lock file - open (13: Permission denied)":                                                               true,
		"W: Some index files failed to download. They have been ignored, or old ones used instead.":                                false,
		"E: Some index files failed to download. They have been ignored, or old ones used instead.":                                false,
		"W: Target Packages (main/binary-amd64/Packages) is configured multiple times in /etc/apt/sources.list.d/debian.sources:1": false,
	} {
		if got := matter(line, sources); got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
	if !matter("W: Failed to fetch https://packages.example.org/apt/x  Could not connect", sources[1:]) {
		t.Error("without Debian's archive every complaint matters")
	}
}
