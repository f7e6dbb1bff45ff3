package bench

import "testing"

func (f *fixture) benchBoot(b *testing.B) {}
