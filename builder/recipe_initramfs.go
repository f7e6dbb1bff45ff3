package builder

func makeInitramfs(k *kit) ([]File, error) {
	initramfs, err := k.initramfs()
	if err != nil {
		return nil, err
	}
	return []File{{"initramfs-" + k.target() + ".img", "application/octet-stream", initramfs}}, nil
}
