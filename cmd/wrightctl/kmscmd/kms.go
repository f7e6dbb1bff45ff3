// Package kmscmd is wrightctl kms: a service that seals the keys of disks.
package kmscmd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/kms"
)

// App is what the commands need of the program.
type App struct {
	Stderr io.Writer
	Quiet  *bool // no more than errors and results
	// Read reads a file, and WriteSecret writes one for its owner only, over one that is there only with force.
	Read        func(ctx context.Context, path string) ([]byte, error)
	WriteSecret func(ctx context.Context, force bool, path string, data []byte) error
}

// New is the command kms.
func New(a App) *cobra.Command {
	return cli.Parent(&cobra.Command{
		Use:   "kms",
		Short: "seal the keys of machines' disks over the network",
		Long: `kms is a small service that seals the keys of encrypted disks: machines whose configuration has a key of kind kms ask it at
each boot, and do not open their disks away from it. It is for trying that out and for small sites.`,
	}, newKeyCommand(a), newServeCommand(a))
}

func newKeyCommand(a App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "key FILE",
		Short: "make the key that kms serve seals with",
		Long: `key writes a new random key to FILE, which its owner only can read. Whoever has it can unseal what was sealed with it, and
without it nobody can: keep a copy in a safe place.`,
		Example: "  wrightctl kms key kms.key",
		Args:    cli.Arguments(1, 1, "a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WriteSecret(cmd.Context(), force, args[0], []byte(kms.NewKey()+"\n"))
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "replace files that are there already")
	return cmd
}

type serveOptions struct {
	key, listen, crt, tlsKey string
}

func newServeCommand(a App) *cobra.Command {
	var opts serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "answer machines until interrupted",
		Long: `serve answers machines that seal and unseal the keys of their disks, and prints a line for each request. With a certificate
it speaks TLS, and the endpoint in the machines' configurations is https://HOST:PORT; without, it is grpc://HOST:PORT, and
whoever can read the network can read the keys.

What was sealed for the UUID of one machine is not unsealed for another, but a UUID is no secret: anybody who can reach the
service and has the disk of a machine and its UUID can open it.`,
		Example:     `  wrightctl kms serve --key kms.key --listen 10.0.0.5:4050 --tls-crt kms.crt --tls-key kms-tls.key`,
		Args:        cli.Arguments(0, 0, ""),
		RunE:        func(cmd *cobra.Command, _ []string) error { return runServe(cmd.Context(), a, opts) },
		Annotations: map[string]string{cli.ParseOnly: "it goes on until it is interrupted"},
	}
	cmd.Flags().StringVar(&opts.key, "key", "", "`FILE` with the key that wrightctl kms key made")
	cmd.Flags().StringVar(&opts.listen, "listen", "127.0.0.1:4050", "`ADDRESS` and port to listen at")
	cmd.Flags().StringVar(&opts.crt, "tls-crt", "", "`FILE` with the certificate of the service, and those that signed it")
	cmd.Flags().StringVar(&opts.tlsKey, "tls-key", "", "`FILE` with the certificate's key")
	cmd.MarkFlagsRequiredTogether("tls-crt", "tls-key")
	if err := cmd.MarkFlagRequired("key"); err != nil {
		panic("kmscmd: " + err.Error()) // the flag was bound before
	}
	return cmd
}

// Limits of the service: a request takes a few milliseconds and a hundred bytes.
const (
	requestTime  = 10 * time.Second
	shutdownTime = 2 * time.Second
)

func runServe(ctx context.Context, a App, opts serveOptions) error {
	key, err := a.Read(ctx, opts.key)
	if err != nil {
		return err
	}
	sealer, err := kms.NewSealer(string(key))
	if err != nil {
		return report.Errorf(report.Invalid, "%s: %w", opts.key, err)
	}
	listener, err := opts.open(ctx)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:     &kms.Server{Seal: sealer.Seal, Unseal: sealer.Unseal, Answered: a.answered},
		Protocols:   &http.Protocols{},
		ReadTimeout: requestTime, WriteTimeout: requestTime,
	}
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(opts.crt == "")
	fmt.Fprintf(a.Stderr, "listening at %s\n", listener.Addr())
	ended := make(chan error, 1)
	go func() { ended <- opts.serve(server, listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	server.Shutdown(grace) // what is not done by then is asked again
	return nil
}

// open listens, after it has looked at the certificate.
func (o serveOptions) open(ctx context.Context) (net.Listener, error) {
	if o.crt != "" {
		if _, err := tls.LoadX509KeyPair(o.crt, o.tlsKey); err != nil {
			return nil, report.Errorf(report.Invalid, "--tls-crt and --tls-key: %w", err)
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "--listen: %w", err)
	}
	return listener, nil
}

func (o serveOptions) serve(s *http.Server, l net.Listener) error {
	var err error
	if o.crt != "" {
		err = s.ServeTLS(l, o.crt, o.tlsKey)
	} else {
		err = s.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// answered prints a line for a request.
func (a App) answered(method string, q kms.Request, err error) {
	outcome := "done"
	if err != nil {
		outcome = err.Error()
	}
	if !*a.Quiet || err != nil {
		fmt.Fprintf(a.Stderr, "%.20q for %.64q: %s\n", method, q.NodeUUID, outcome)
	}
}
