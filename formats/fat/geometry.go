package fat

import (
	"math"

	"github.com/bootwright/bootwright/formats/blob"
)

// geometry is where the parts of a volume lie: reserved sectors, FATs, root folder (FAT12 and FAT16), clusters.
type geometry struct {
	bits              int   // of a FAT entry: 12, 16 or 32
	sector, cluster   int64 // bytes
	reserved, fatSize int64 // sectors; fatSize is of one FAT
	fats              int64
	rootSlots         int64 // of the fixed root folder; 0 for FAT32
	clusters          int64 // numbered from 2
	size              int64 // of the volume in bytes
}

const (
	firstCluster   = 2
	maxCluster     = 32 << 10
	defaultCluster = 4096
	fixedRootSlots = 512 // what the specification wants for FAT16, and some firmware expects
	slotSize       = 32
)

func (g geometry) fatStart() int64  { return g.reserved * g.sector }
func (g geometry) rootStart() int64 { return g.fatStart() + g.fats*g.fatSize*g.sector }
func (g geometry) dataStart() int64 {
	return g.rootStart() + blob.Align(g.rootSlots*slotSize, g.sector)
}

// offset is where a cluster begins.
func (g geometry) offset(cluster int64) int64 {
	return g.dataStart() + (cluster-firstCluster)*g.cluster
}

// count is how many clusters n bytes take.
func (g geometry) count(n int64) int64 { return (n + g.cluster - 1) / g.cluster }

// newGeometry has exactly the given number of clusters, the first at a multiple of o.Align and of its size.
func (o Options) newGeometry(bits int, cluster, clusters int64) geometry {
	g := geometry{bits: bits, sector: int64(o.SectorSize), cluster: cluster, fats: 2, clusters: clusters}
	if bits == 32 {
		g.reserved = 32
	} else {
		g.reserved, g.rootSlots = 1, fixedRootSlots
	}
	g.fatSize = (blob.Align((clusters+firstCluster)*int64(bits), 8)/8 + g.sector - 1) / g.sector
	start := g.dataStart()
	g.reserved += (blob.Align(start, max(o.Align, cluster)) - start) / g.sector
	g.size = g.offset(firstCluster + clusters)
	return g
}

// sizedGeometry has as many clusters as o.Size allows. Its FATs have room for those that the FATs themselves displace.
func (o Options) sizedGeometry(bits int, cluster int64) geometry {
	g := o.newGeometry(bits, cluster, o.Size/cluster)
	g.clusters, g.size = max(0, o.Size-g.dataStart())/cluster, o.Size
	return g
}

// clusterRange is how many clusters make a volume FAT16 or FAT32. The specification tells the types apart by that
// number alone and asks to stay 16 away from the borders, where implementations disagree.
func clusterRange(bits int) (least, most int64) {
	if bits == 32 {
		return 65525 + 16, 0x0FFFFFF4
	}
	return 4085 + 16, 65524 - 16
}

func (g geometry) valid() bool {
	least, most := clusterRange(g.bits)
	return g.clusters >= least && g.clusters <= most && g.size/g.sector <= math.MaxUint32
}

// types are the entry widths to try, in this order.
func (o Options) types() []int {
	if o.Bits != 0 {
		return []int{o.Bits}
	}
	return []int{32, 16}
}

// clusterSizes are the sizes to try: from 4096 down, then, for what is too large for these, up.
func (o Options) clusterSizes() []int64 {
	if o.ClusterSize != 0 {
		return []int64{int64(o.ClusterSize)}
	}
	var sizes []int64
	for c := int64(defaultCluster); c >= int64(o.SectorSize); c /= 2 {
		sizes = append(sizes, c)
	}
	for c := int64(2 * defaultCluster); c <= maxCluster; c *= 2 {
		sizes = append(sizes, c)
	}
	return sizes
}

// leastCluster is the smallest of clusterSizes.
func (o Options) leastCluster() int64 {
	if o.ClusterSize != 0 {
		return int64(o.ClusterSize)
	}
	return int64(o.SectorSize)
}
