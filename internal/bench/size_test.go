package bench

import (
	"testing"

	"github.com/bootwright/bootwright/builder"
)

// benchSize is how large the assets are, in MB of a million bytes, and how much of the ISO is not its content: headers,
// tables, folders and the room between files.
func (f *fixture) benchSize(b *testing.B) {
	maker, done := f.builder(b)
	defer done()
	hideTotal(b)
	content := func(p *builder.Plan) (n int64) {
		for _, in := range p.Inputs {
			n += in.Size
		}
		return n
	}
	for _, kind := range []string{"initramfs", "iso"} {
		plan, file := f.layOut(b, maker, kind)
		b.ReportMetric(float64(file.Size())/1e6, kind+"-MB")
		b.ReportMetric(float64(content(plan))/1e6, kind+"-inputs-MB")
	}
}
