//go:build linux

package bench

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
)

// benchHTTP serves an ISO that was never written, laid out anew for each request, beside the same ISO served as a file, on
// the loopback interface: the time to the first byte, all of it, and a mebibyte out of its middle.
func (f *fixture) benchHTTP(b *testing.B) {
	maker, done := f.builder(b)
	defer done()
	plan, iso := f.layOut(b, maker, "iso")
	laidOut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		artifact, err := maker.Build(r.Context(), plan)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.ServeContent(w, r, isoName, plan.Time(), blob.Reader(artifact.Files[0].Blob))
	}))
	defer laidOut.Close()
	file := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, f.iso) }))
	defer file.Close()

	got := times{}
	for range max(rounds, b.N) {
		for _, server := range []struct{ name, url string }{{"laid-out", laidOut.URL}, {"file", file.URL}} {
			got.get(b, server.name, server.url, 0, iso.Size())
			got.get(b, server.name+"-range", server.url, iso.Size()/2, 1<<20)
		}
	}
	got.report(b)
	got.ratio(b, "laid-out", "file")
	for _, name := range []string{"laid-out", "file"} {
		b.ReportMetric(float64(iso.Size())/1e6/median(got[name]).Seconds(), name+"-MB/s")
	}
}

// get adds the times to the first and to the last of n bytes at off. Asking for a whole file asks for no range.
func (t times) get(b *testing.B, name, url string, off, n int64) {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	must(b, err)
	if off > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	}
	start := time.Now()
	resp, err := http.DefaultClient.Do(req)
	must(b, err)
	defer resp.Body.Close()
	buf := make([]byte, 256<<10)
	_, err = io.ReadFull(resp.Body, buf[:1])
	must(b, err)
	t[name+"-first"] = append(t[name+"-first"], time.Since(start))
	rest, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, buf)
	must(b, err)
	t[name] = append(t[name], time.Since(start))
	if rest+1 != n || resp.StatusCode/100 != 2 {
		b.Fatalf("%s: %s with %d bytes, not %d", name, resp.Status, rest+1, n)
	}
}
