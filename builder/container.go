package builder

import (
	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/container"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/profiles"
)

// containerFile is images in an archive.
func containerFile(p *Plan, name string, images ...oci.Image) ([]File, error) {
	archive, err := container.Archive(images, container.Tag(p.Version), p.Time())
	return []File{{name, "application/vnd.oci.image.layout.v1.tar", archive}}, err
}

// makeContainerDisk is the disk image in a container image.
func (k *kit) makeContainerDisk(image blob.Blob) ([]File, error) {
	made, err := container.Disk(k.ctx, k.plan.Arch, k.plan.Version, k.plan.Time(), image)
	if err != nil {
		return nil, err
	}
	k.images = []oci.Image{made}
	return containerFile(k.plan, k.target()+containerDisk, made)
}

// containerDisk is what archives of a containerDisk end in.
const containerDisk = ".qcow2" + profiles.OCIArchive

// Join is the index of container images for several architectures, as one artifact: that of the first plan. The error is Invalid for
// artifacts that are none.
func Join(artifacts []*Artifact) (*Artifact, error) {
	out := &Artifact{Plan: artifacts[0].Plan}
	for _, a := range artifacts {
		if len(a.Images) != 1 {
			return nil, report.Errorf(report.Invalid, "%s output is no container image, of which there could be an index", a.Plan.Kind)
		}
		out.Images = append(out.Images, a.Images...)
		out.secrets = append(out.secrets, a.secrets...)
	}
	name := "installer.tar"
	if out.Plan.Kind == "image" {
		name = out.Plan.Platform + containerDisk
	}
	var err error
	out.Files, err = containerFile(out.Plan, name, out.Images...)
	return out, err
}
