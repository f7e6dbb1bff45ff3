package iso9660

import (
	"github.com/bootwright/bootwright/formats/iso9660/record"
	"github.com/bootwright/bootwright/internal/report"
)

// detect finds out whether the volume with that root record uses Rock Ridge.
func (r *reader) detect(root []byte) error {
	r.names = Plain
	rec, _, err := record.Parse(root)
	if err != nil {
		return err
	}
	self, err := r.selfRecord(rec.Block)
	if err != nil {
		return err
	}
	skip, ok := record.UsesRock(self.SystemUse)
	if !ok {
		return nil
	}
	x, err := r.rock(self)
	if err == nil && x.HasMode { // system use fields have other uses too
		r.names, r.skip = RockRidge, skip
	}
	return err
}

// rock reads the Rock Ridge fields of a record.
func (r *reader) rock(rec record.Record) (record.Rock, error) {
	return record.ReadRock(rec.SystemUse[min(r.skip, len(rec.SystemUse)):], func(off, n int64) ([]byte, error) {
		return r.load(off, n, "rock ridge continuation")
	})
}

// selfRecord is the "." of the folder at block.
func (r *reader) selfRecord(block uint32) (record.Record, error) {
	at := int64(block) * sector
	p, err := r.load(at, min(sector, max(0, r.b.Size()-at)), "folder")
	if err != nil {
		return record.Record{}, err
	}
	rec, _, err := record.Parse(p)
	if err == nil && (len(rec.ID) != 1 || rec.ID[0] != 0) {
		err = report.Errorf(report.Invalid, "folder at offset %d does not begin with itself", at)
	}
	return rec, err
}

// relocated is the record and fields of the folder that x points at, under the name of x.
func (r *reader) relocated(x record.Rock) (record.Record, record.Rock, error) {
	rec, err := r.selfRecord(x.Child)
	if err != nil {
		return rec, x, err
	}
	self, err := r.rock(rec)
	self.Name = x.Name
	rec.Flags |= record.Dir
	return rec, self, err
}
