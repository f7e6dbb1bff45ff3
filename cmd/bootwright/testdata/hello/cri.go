package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// pull lets containerd pull an image, as the kubelet does: by runtime.v1.ImageService/PullImage of the container runtime
// interface, which is gRPC. It returns the image's digest as containerd has it.
func pull(ctx context.Context, image string) (string, error) {
	transport := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", "/run/containerd/containerd.sock")
	}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	r, w := io.Pipe()
	go func() {
		m := message(message([]byte(image))) // PullImageRequest.image, ImageSpec.image
		w.Write(append([]byte{0, 0, 0, 0, byte(len(m))}, m...))
		w.Close()
	}()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://containerd/runtime.v1.ImageService/PullImage", r)
	if err != nil {
		return "", err
	}
	q.Header.Set("Content-Type", "application/grpc")
	q.Header.Set("TE", "trailers")
	a, err := transport.RoundTrip(q)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return "", err
	}
	if status := a.Header.Get("Grpc-Status") + a.Trailer.Get("Grpc-Status"); status != "0" {
		text, _ := url.PathUnescape(a.Header.Get("Grpc-Message") + a.Trailer.Get("Grpc-Message"))
		return "", fmt.Errorf("gRPC status %s: %s", status, text)
	}
	if len(body) < 7 {
		return "", fmt.Errorf("answer %q", body)
	}
	return string(body[7:]), nil // PullImageResponse.image_ref, after the lengths of both
}

// message is a protobuf message of fewer than 128 bytes whose field 1 is p.
func message(p []byte) []byte { return append([]byte{1<<3 | 2, byte(len(p))}, p...) }
